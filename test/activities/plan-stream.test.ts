import { describe, expect, it, vi } from 'vitest';
import type { PlanStreamInput } from '../../activities/activity-types.ts';
import { computePlan, type PlanDeps, type PlanView } from '../../activities/plan-stream.ts';
import { createFingerprint } from '../../clients/fingerprint.ts';
import { GitError } from '../../clients/git/git-error.ts';
import type { Bundle, Rule } from '../../domain/bundle.ts';
import type { LiveState } from '../../domain/plan.ts';
import { InvalidInput } from '../../domain/problem.ts';
import { SinkError } from '../../sinks/errors.ts';
import type { StreamState } from '../../activities/stream-state.ts';

const COMMIT = 'c'.repeat(40);
const input: PlanStreamInput = { tenant: 'acme', repository: 'config', stream: 'main', ref: { kind: 'branch', name: 'main' } };
const rule = {
  prune: true,
  protect: [],
  limits: { deletes: null },
  onExisting: 'refuse',
  environments: { branches: {}, tags: {} },
} as unknown as Rule;
const bundle = { settings: {}, tenants: { acme: { repositories: { config: { provider: 'github' } }, rules: { settings: rule } } } } as unknown as Bundle;
const empty: LiveState = { exists: false, entries: new Map(), ledger: null, version: '' };
const wide: PlanView = { show: (text) => `<${text}>`, maxTargets: 10, maxKeys: 1_000, maxKeysOfTarget: 100, maxKeyLength: 100 };

/** A stream of targets with so many keys each, and what is found at each of them. */
function depsWith(keys: readonly string[], targets: number, live: () => LiveState | Error, secretKeys: readonly string[] = []): PlanDeps {
  const state: StreamState = {
    commit: COMMIT,
    unrouted: [],
    rules: [
      {
        name: 'settings',
        rule,
        environment: 'production',
        inputs: [],
        secrets: [],
        targets: Array.from({ length: targets }, (_, destination) => ({
          destination,
          sink: 'cache',
          kind: 'redis',
          place: { name: `place-${destination}`, layout: 'hash', fields: {} },
          capabilities: { values: 'readable', ownership: 'keys', atomicity: 'place' },
          entries: keys.map((key) => ({ path: [key], value: 'new', key, text: 'new' })),
          secretKeys: new Set<string>(secretKeys),
          digest: '',
          retired: false,
        })),
      },
    ],
  };
  const read = (): Promise<LiveState> => {
    const found = live();
    return found instanceof Error ? Promise.reject(found) : Promise.resolve(found);
  };
  return {
    bundle: () => bundle,
    git: { fetch: () => Promise.resolve({ commit: COMMIT }), touched: () => Promise.resolve(true) },
    desired: { compute: () => Promise.resolve(state) },
    sinks: { get: () => Promise.resolve({ read }), drop: () => undefined },
    fingerprint: createFingerprint('key'),
    now: () => new Date(0),
  } as unknown as PlanDeps;
}

const plan = (deps: PlanDeps, view = wide): ReturnType<typeof computePlan> =>
  computePlan(deps, input, view, { signal: new AbortController().signal, conceal: () => undefined });

describe('the plan of a stream', () => {
  it('never shows what is or was a secret', async () => {
    const live: LiveState = { ...empty, exists: true, entries: new Map([['held', 'hunter2']]) };
    const planned = await plan(depsWith(['held', 'fresh'], 1, () => live, ['held', 'fresh']));
    expect(planned).toMatchObject({ targets: [{ keys: expect.arrayContaining([{ key: 'fresh', change: 'put', before: null, after: '[secret]' }]) }] });
    expect(JSON.stringify(planned)).not.toMatch(/hunter2|<new>/);
  });

  it('tells every key by what the view makes of its value', async () => {
    const live: LiveState = { ...empty, exists: true, entries: new Map([['same', 'new']]) };
    expect(await plan(depsWith(['same', 'fresh'], 1, () => live))).toEqual({
      kind: 'planned',
      commit: COMMIT,
      moreTargets: 0,
      targets: [
        expect.objectContaining({
          change: 'write',
          keys: [
            { key: 'fresh', change: 'put', before: null, after: '<new>' },
            { key: 'same', change: 'adopt', before: '<new>', after: '<new>' },
          ],
        }),
      ],
    });
  });

  it('shows a value of somebody else as a conflict, and one that cannot be read as "?"', async () => {
    const live: LiveState = {
      ...empty,
      exists: true,
      entries: new Map<string, string | null>([
        ['theirs', 'old'],
        ['hidden', null],
      ]),
    };
    expect(await plan(depsWith(['theirs', 'hidden'], 1, () => live))).toMatchObject({
      targets: [
        {
          change: 'held',
          keys: [
            { key: 'theirs', change: 'conflict', before: '<old>', after: '<new>' },
            { key: 'hidden', change: 'conflict', before: '?', after: '<new>' },
          ],
        },
      ],
    });
  });

  it('stays small, and says how much it left out', async () => {
    const keys = Array.from({ length: 500 }, (_, index) => `${index}-${'x'.repeat(300)}`);
    const view: PlanView = { ...wide, maxTargets: 4, maxKeys: 100, maxKeysOfTarget: 60, maxKeyLength: 50 };
    const result = await plan(
      depsWith(keys, 6, () => empty),
      view,
    );
    if (result.kind !== 'planned') throw new Error(result.kind);
    expect(result).toMatchObject({ moreTargets: 2 });
    expect(result.targets).toHaveLength(4);
    for (const target of result.targets) {
      expect(target.keys).toHaveLength(25);
      expect(target.moreKeys).toBe(475);
      expect(Math.max(...target.keys.map(({ key }) => key.length))).toBe(50);
    }
  });

  it('tells a sink that cannot be read, and goes on with the others', async () => {
    let reads = 0;
    const result = await plan(depsWith(['a'], 2, () => (reads++ === 0 ? new SinkError('unavailable', 'no answer') : empty)));
    expect(result).toMatchObject({ targets: [{ change: 'unknown', messages: ['rule settings: cache: no answer'] }, { change: 'write' }] });
  });

  it('refuses what a run would refuse, and throws what may pass', async () => {
    const failing = (error: Error): PlanDeps => ({
      ...depsWith([], 1, () => empty),
      desired: { compute: vi.fn<() => Promise<never>>().mockRejectedValue(error) } as unknown as PlanDeps['desired'],
    });
    expect(await plan(failing(new InvalidInput([{ rule: 'settings', message: 'is wrong' }])))).toEqual({
      kind: 'rejected',
      commit: COMMIT,
      problems: ['rule settings: is wrong'],
    });
    expect(await plan(failing(new GitError('not-found', 'no such branch', { missing: 'revision' })))).toEqual({ kind: 'nothing', why: 'no such branch' });
    await expect(plan(failing(new GitError('unavailable', 'the remote does not answer')))).rejects.toThrow('does not answer');
  });
});
