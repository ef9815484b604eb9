import { expect, it } from 'vitest';
import { createSharedWork } from '../../../clients/git/shared-work.ts';

const signal = new AbortController().signal;

it('serves all who ask before the work starts, and none who asks after', async () => {
  const shared = createSharedWork<number>();
  const gate = Promise.withResolvers<void>();
  let runs = 0;
  const work = async (_: AbortSignal, started: () => void): Promise<number> => {
    started();
    const run = ++runs;
    await gate.promise;
    return run;
  };
  const early = [shared.join('a', signal, work), shared.join('a', signal, work)];
  await expect.poll(() => runs).toBe(1);
  const late = [shared.join('a', signal, work), shared.join('a', signal, work), shared.join('b', signal, work)];
  gate.resolve();
  expect(await Promise.all([...early, ...late])).toEqual([1, 1, 2, 2, 3]);
});

it('goes on while one caller still waits, and is aborted when the last has gone', async () => {
  const shared = createSharedWork<string>();
  const [first, second] = [new AbortController(), new AbortController()];
  let inner: AbortSignal | undefined;
  const work = (given: AbortSignal): Promise<string> => {
    inner = given;
    return new Promise((_, reject) => given.addEventListener('abort', () => reject(given.reason)));
  };
  const results = [shared.join('a', first.signal, work), shared.join('a', second.signal, work)];
  const settled = Promise.allSettled(results);
  await expect.poll(() => inner).toBeDefined();
  first.abort(new Error('first left'));
  await expect(results[0]).rejects.toThrow('first left');
  expect(inner?.aborted).toBe(false);
  second.abort(new Error('second left'));
  expect(inner?.aborted).toBe(true);
  await settled;
});

it('gives a failure to every waiting caller and starts anew for the next', async () => {
  const shared = createSharedWork<string>();
  const failing = (): Promise<string> => Promise.reject(new Error('no'));
  const results = await Promise.allSettled([shared.join('a', signal, failing), shared.join('a', signal, failing)]);
  expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected']);
  expect(await shared.join('a', signal, () => Promise.resolve('yes'))).toBe('yes');
});
