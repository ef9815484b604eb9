import { describe, expect, it } from 'vitest';
import { createBundleHolder } from '../../clients/bundle-holder.ts';
import type { Bundle } from '../../domain/bundle.ts';
import { bundleOf } from '../api/api-under-test.ts';

describe('the running bundle', () => {
  it('is not there without a first good one', async () => {
    await expect(
      createBundleHolder(
        () => Promise.reject(new Error('bad')),
        () => undefined,
      ),
    ).rejects.toThrow('bad');
  });

  it('is replaced by a good one and kept when the new one is bad', async () => {
    const [first, second] = [bundleOf({}), bundleOf({})];
    const loads: (Bundle | Error)[] = [first, new Error('line 3'), second];
    const told: unknown[] = [];
    const holder = await createBundleHolder(
      () => {
        const next = loads.shift();
        return next instanceof Error || !next ? Promise.reject(next ?? new Error('no more')) : Promise.resolve(next);
      },
      (outcome, error) => told.push([outcome, error instanceof Error ? error.message : undefined]),
    );
    expect(holder.current()).toBe(first);
    expect(await holder.reload()).toBe('refused');
    expect(holder.current()).toBe(first);
    expect(await holder.reload()).toBe('reloaded');
    expect(holder.current()).toBe(second);
    expect(told).toEqual([
      ['refused', 'line 3'],
      ['reloaded', undefined],
    ]);
  });

  it('is the one that was asked for last, however long each takes to load', async () => {
    const [first, slow, fast] = [bundleOf({}), bundleOf({}), bundleOf({})];
    const { promise: slowly, resolve: finishSlow } = Promise.withResolvers<Bundle>();
    const loads = [Promise.resolve(first), slowly, Promise.resolve(fast)];
    const holder = await createBundleHolder(
      () => loads.shift() ?? Promise.reject(new Error('no more')),
      () => undefined,
    );
    const both = [holder.reload(), holder.reload()];
    finishSlow(slow);
    await Promise.all(both);
    expect(holder.current()).toBe(fast);
  });
});
