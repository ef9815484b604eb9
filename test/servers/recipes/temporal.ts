import { getTemporalCli, locateTemporalCli } from '../../../tools/get/temporal-cli.ts';
import type { Recipe } from '../recipe.ts';

export const temporal = { title: 'Temporal CLI', locate: locateTemporalCli, install: getTemporalCli } satisfies Recipe;
