import { getSeaweedfs, locateSeaweedfs } from '../../../tools/get/seaweedfs.ts';
import type { Recipe } from '../recipe.ts';

export const seaweedfs = { title: 'SeaweedFS', locate: locateSeaweedfs, install: getSeaweedfs } satisfies Recipe;
