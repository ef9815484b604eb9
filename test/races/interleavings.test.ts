import fc from 'fast-check';
import { afterAll, beforeAll, it } from 'vitest';
import { describeWith } from '../servers/describe-with.ts';
import { commands, type Command } from './commands.ts';
import { openPlay } from './play.ts';
import { openWorld, type World } from './world.ts';

// Random interleavings of everything that happens to a deployment. What a command finds is whatever the product has come to by then.
// VARTRACK_RACES_RUNS for more runs, VARTRACK_RACES_SEED to repeat one that failed, VARTRACK_RACES_SHRINK=1 to have its commands reduced.

const runs = Number(process.env['VARTRACK_RACES_RUNS'] ?? 3);
const seed = process.env['VARTRACK_RACES_SEED'];

describeWith(['temporal', 'redis'], 'whatever comes in whatever order', () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(() => world?.close());

  it('comes to rest at the head of every stream, touches nothing of others, and tells the truth', { timeout: 60_000 + runs * 60_000 }, async () => {
    const parameters = { numRuns: runs, endOnFailure: process.env['VARTRACK_RACES_SHRINK'] === undefined, ...(seed !== undefined && { seed: Number(seed) }) };
    await fc.assert(
      fc.asyncProperty(commands, async (list: readonly Command[]) => {
        const play = await openPlay(world);
        for (const command of list) await play.act(command);
        await play.comeToRest();
        await play.expectTruth();
      }),
      parameters,
    );
  });
});
