import fc from 'fast-check';
import { afterAll, beforeAll, it } from 'vitest';
import { describeWith } from '../servers/describe-with.ts';
import { openFight } from './fight.ts';
import { blows, type Blow } from './fight-commands.ts';
import { openWorld, type World } from './world.ts';

// Strangers who change what is ours and what is not, against a watch that looks each second, while people push, pause and heal, and workers come and go.
// VARTRACK_FIGHTS_RUNS for more runs, VARTRACK_FIGHTS_SEED to repeat one that failed.

const runs = Number(process.env['VARTRACK_FIGHTS_RUNS'] ?? 2);
const seed = process.env['VARTRACK_FIGHTS_SEED'];

/** One rule heals, the other only warns; a heal of the first may be refused by its file. */
const RULES = `
  settings:
    from: { repository: config, files: [ "settings.yaml" ] }
    environments: { branches: { main: production, develop: staging } }
    schema: none
    to:
      - { sink: cache, place: "app:{env}" }
      - { sink: files, place: "{dir}/files/{env}.env", validate: "test ! -e {dir}/refuse" }
    timeout: 20s
    drift: { mode: heal, interval: 1s }
  flags:
    from: { repository: config, files: [ "flags.yaml" ] }
    environments: { branches: { main: production, develop: staging } }
    schema: none
    onFailure: continue
    to: [ { sink: cache, place: "flags:{env}:", layout: keys } ]
    timeout: 20s
    drift: { mode: warn, interval: 1s }`;

describeWith(['temporal', 'redis'], 'a fight over what Git says', () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(RULES, '2s');
  });
  afterAll(() => world?.close());

  it('ends with what Git says, every change told, nothing of others touched and nothing written in a pause', { timeout: 60_000 + runs * 120_000 }, async () => {
    const parameters = { numRuns: runs, endOnFailure: true, ...(seed !== undefined && { seed: Number(seed) }) };
    await fc.assert(
      fc.asyncProperty(blows, async (list: readonly Blow[]) => {
        const fight = await openFight(world);
        for (const blow of list) await fight.strike(blow);
        await fight.comeToRest();
        await fight.expectAllTold();
      }),
      parameters,
    );
  });
});
