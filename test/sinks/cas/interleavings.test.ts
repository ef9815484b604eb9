import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createCasSink } from '../../../sinks/cas/cas-sink.ts';
import { SinkError } from '../../../sinks/errors.ts';
import type { Cut } from '../contract/cuts.ts';
import { cutStore } from './cut-store.ts';
import { memoryCodec } from './memory-sink.ts';
import { createMemoryStore, type MemoryStore } from './memory-store.ts';
import { createStage } from './stage.ts';

const keys = ['a', 'b', 'c', 'd', 'e'] as const;

interface Attempt {
  readonly wish: readonly string[];
  /** The call after which nothing arrives any more, and whether that one does. */
  readonly cut: { readonly at: number; readonly arrives: boolean } | undefined;
  readonly ending: 'go on' | 'undo' | 'leave' | 'remove';
}

const attempt: fc.Arbitrary<Attempt> = fc.record({
  wish: fc.subarray([...keys], { minLength: 1 }),
  cut: fc.option(fc.record({ at: fc.nat(14), arrives: fc.boolean() }), { nil: undefined, freq: 2 }),
  ending: fc.constantFrom('go on', 'undo', 'leave', 'remove'),
});
const writer = fc.array(attempt, { minLength: 1, maxLength: 3 });
const stranger = fc.array(fc.record({ key: fc.constantFrom(...keys), pause: fc.nat(6) }), { maxLength: 4 });

// Without transactions a writer that was taken over in the midst of a step can still end that step (docs/sinks/s3.md), so there the writers follow
// each other, as they do under the lock of a stream, and what crashes is gone.
test.each([
  ['one writer after the other', 'steps', 0],
  ['two writers', 'transactions of 3', 3],
  ['two writers', 'transactions of any size', Number.POSITIVE_INFINITY],
])(
  '%s and a stranger in any order, with calls that are lost, in %s: what is a stranger’s stays, and the place gets right',
  async (who, _name, transactionSize) => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), writer, writer, stranger, async (scheduler, one, two, others) => {
        const store = createMemoryStore({ transactionSize });
        const theirs = new Set<string>();
        const check = guardOf(store, theirs);
        const step: Cut = async (call) => {
          await scheduler.schedule(Promise.resolve());
          return call().finally(check);
        };
        const writers = who === 'two writers' ? [one, two] : [[...one, ...two]];
        const all = Promise.all([
          ...writers.map(async (attempts, writerIndex) => {
            for (const [index, each] of attempts.entries()) await carryOut(store, step, each, `w${writerIndex}.${index}`);
          }),
          comeAndGo(store, theirs, others, step),
        ]);
        await scheduler.waitFor(all);

        const stage = createStage(store);
        const values = Object.fromEntries(keys.filter((key) => !theirs.has(key)).map((key) => [key, 'last']));
        const made = await stage.planFor(values);
        expect(made).not.toMatchObject({ kind: 'held' });
        if (made.kind === 'write') await stage.apply(made);
        expect(stage.values()).toEqual({ ...values, ...Object.fromEntries([...theirs].map((key) => [key, 'theirs'])) });
        expect(await stage.planFor(values)).toMatchObject({ kind: 'unchanged' });
      }),
      { numRuns: 150 },
    );
  },
  60_000,
);

/** As a run does it: plan, write, try the same again if that failed, and then what the run decides. */
async function carryOut(store: MemoryStore, step: Cut, { wish, cut, ending }: Attempt, text: string): Promise<void> {
  let calls = 0;
  const lossy: Cut = async (call) => {
    const mine = calls++;
    if (cut && (mine > cut.at || (mine === cut.at && !cut.arrives))) throw new SinkError('unavailable', 'lost');
    const reply = await step(call);
    if (cut && mine === cut.at) throw new SinkError('unavailable', 'the answer is lost');
    return reply;
  };
  const stageOver = (through: Cut) => createStage(store, createCasSink(cutStore(store, through), memoryCodec));
  const whole = stageOver(step);
  const planned = ending === 'remove' ? whole.planForRemoval() : whole.planFor(Object.fromEntries(wish.map((key) => [key, text])));
  const made = await planned.catch(failed);
  if (made?.kind !== 'write') return;
  const receipt = await stageOver(lossy).apply(made).catch(failed);
  if (receipt === null && ending !== 'leave') await whole.apply(made).catch(failed);
  if (ending === 'undo') await whole.restore(made.ledger.generation).catch(failed);
}

function failed(error: unknown): null {
  if (!(error instanceof SinkError)) throw error;
  return null;
}

/** Makes keys that are nobody's. */
async function comeAndGo(store: MemoryStore, theirs: Set<string>, visits: readonly { key: string; pause: number }[], step: Cut): Promise<void> {
  const stage = createStage(store);
  for (const { key, pause } of visits) {
    for (let i = 0; i <= pause; i++) await step(async () => undefined);
    if (store.stored.has(`app/${key}`) || Object.hasOwn(stage.ledger()?.keys ?? {}, key)) continue;
    store.set(`app/${key}`, 'theirs');
    theirs.add(key);
  }
}

/** What has to hold after every step. */
function guardOf(store: MemoryStore, theirs: ReadonlySet<string>): () => void {
  const stage = createStage(store);
  let generation = 0;
  return () => {
    for (const key of theirs) expect(stage.values()[key], `${key} is a stranger’s`).toBe('theirs');
    const now = stage.ledger()?.generation ?? 0;
    // A target that was given up begins anew.
    if (now > 0) expect(now).toBeGreaterThanOrEqual(generation);
    generation = now;
  };
}
