import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { plan, type WritePlan } from '../../../domain/plan.ts';
import type { Place, Sink } from '../../../sinks/sink.ts';
import { vercel } from '../../../sinks/vercel.ts';
import { startVercel, type VercelServer } from '../../servers/vercel.ts';
import type { Draft, Project } from '../../servers/vercel/project.ts';
import { canary, contextFor, entriesOf, failure, fingerprint, owner, type Values } from '../contract/scenario.ts';
import { optionsFor } from './bench.ts';
import { policyOf } from '../../domain/policy-of.ts';

describe('variables of one project', () => {
  let server: VercelServer;
  beforeAll(async () => {
    server = await startVercel();
  });
  afterAll(() => server.stop());

  test('of the same key for other environments and branches stay as they are', async () => {
    const { project, sync, undo } = await begin(server, { targets: ['production'] });
    const others = [
      { key: 'HOST', value: 'preview', type: 'plain', target: ['preview'], comment: 'of people' },
      { key: 'HOST', value: 'branch', type: 'encrypted', target: ['preview'], gitBranch: 'feature/x' },
      { key: 'HOST', value: 'custom', type: 'sensitive', target: [], customEnvironmentIds: ['env_1'] },
    ].map((each) => project.create(each, false));
    await sync({ host: 'production', port: 1 });
    await sync({ host: 'changed' });
    await undo(2);
    for (const each of others) expect(project.variables.get(each.id)).toEqual(each);
  });

  test('that somebody made for more environments than ours are theirs, and nothing is written', async () => {
    const { project, planFor } = await begin(server, { targets: ['production'] });
    project.create({ key: 'HOST', value: 'same', type: 'encrypted', target: ['production', 'preview'] }, false);
    const writes = project.writes();
    expect(await planFor({ host: 'same' })).toMatchObject({ kind: 'held', holds: [{ reason: 'not-owned', keys: ['HOST'] }] });
    expect(project.writes()).toBe(writes);
  });

  test('that somebody made for more environments than ours are not taken over either where the rule overwrites', async () => {
    const { project, sink, place, planWrite } = await begin(server, { targets: ['production'] });
    const theirs = project.create({ key: 'HOST', value: canary, type: 'encrypted', target: ['production', 'preview'] }, false);
    const error = await failure(sink.apply(place, await planWrite({ host: 'ours' }, 'overwrite'), contextFor([])), 'rejected');
    expect(error.message).toContain('HOST is there for (preview, production)');
    expect(project.variables.get(theirs.id)).toEqual(theirs);
  });

  test('of ours whose environments somebody changed are put back, and by an undo changed again', async () => {
    const { project, sync, undo, find } = await begin(server, { targets: ['production', 'preview'] });
    await sync({ host: 'db1' });
    project.edit(find('HOST').id, { target: ['production'] });
    expect(await sync({ host: 'db1' })).toMatchObject({ writes: 1 });
    expect(find('HOST')).toMatchObject({ value: 'db1', target: ['preview', 'production'] });
    await undo(2);
    expect(find('HOST')).toMatchObject({ value: 'db1', target: ['production'] });
  });

  test('get their comment and type back with an undo', async () => {
    const { project, sync, undo, find } = await begin(server, {});
    project.create({ key: 'HOST', value: 'theirs', type: 'plain', target: ['production', 'preview', 'development'], comment: 'ask Ada' }, false);
    await sync({ host: 'ours' }, 'overwrite');
    expect(find('HOST')).toMatchObject({ value: 'ours', type: 'encrypted', comment: expect.stringMatching(/^varTrack [0-9a-f]{8}: /) });
    await undo(1);
    expect(find('HOST')).toMatchObject({ value: 'theirs', type: 'plain', comment: 'ask Ada' });
  });

  test('become sensitive when the rule says so, and can be read again when it no longer does', async () => {
    const scope = { targets: ['production', 'preview'] };
    const open = await begin(server, scope);
    const closed = await begin(server, { ...scope, type: 'sensitive' }, open.project, open.place.name);
    await open.sync({ host: 'db1' });
    expect(await closed.sync({ host: 'db1' })).toMatchObject({ writes: 1 });
    expect(open.find('HOST')).toMatchObject({ value: 'db1', type: 'sensitive' });
    expect(await open.sync({ host: 'db1' })).toMatchObject({ writes: 1 });
    expect(open.find('HOST')).toMatchObject({ value: 'db1', type: 'encrypted' });
    expect((await failure(open.undo(3), 'conflict')).message).toContain('the former value of HOST is sensitive');
  });

  test('are never missing while others take their place or get other values', async () => {
    const { project, sync } = await begin(server, {});
    await sync({ old: 'x', host: 'db1' });
    const there = (): readonly string[] => [...project.variables.values()].map(({ key }) => key);
    const missing: string[] = [];
    let deleted = false;
    const look = (): void => {
      deleted ||= !there().includes('OLD');
      if (!there().includes('HOST')) missing.push('HOST');
      if (deleted && !there().includes('FRESH')) missing.push('OLD and FRESH');
    };
    const stored = project.variables as Map<string, unknown>;
    for (const verb of ['set', 'delete'] as const) {
      const change = stored[verb].bind(stored) as (...given: unknown[]) => never;
      stored[verb] = (...given: unknown[]) => {
        const done = change(...given);
        look();
        return done;
      };
    }
    await sync({ fresh: 'x', host: 'db2' });
    expect({ missing, deleted }).toEqual({ missing: [], deleted: true });
  });

  test('that would be too large for a deployment are refused before anything is written', async () => {
    const { project, sink, place, planWrite } = await begin(server, {});
    project.create({ key: 'THEIRS', value: 'x'.repeat(40_000), type: 'plain', target: ['preview'] }, false);
    const made = await planWrite({ host: canary.repeat(2_000) });
    const writes = project.writes();
    const error = await failure(sink.apply(place, made, contextFor([])), 'too-large');
    expect(error.message).toMatch(/a deployment would have \d+ bytes/);
    expect(project.writes()).toBe(writes);
  });

  test('may be as large as a deployment in each of two scopes', async () => {
    const { project, sync } = await begin(server, { targets: ['production'] });
    project.create({ key: 'THEIRS', value: 'x'.repeat(60_000), type: 'plain', target: ['preview'] }, false);
    await sync({ host: 'y'.repeat(50_000) });
  });

  test('that are kept by varTrack say so in their comments, and are in the scope of what they are about', async () => {
    const { project, sync } = await begin(server, { targets: ['preview'], gitBranch: 'feature/x' });
    await sync({ host: 'db1' });
    const own = [...project.variables.values()].filter(({ key }) => key.startsWith('VARTRACK_'));
    expect(own.map(({ comment = '' }) => comment).toSorted()).toEqual([
      'varTrack ledger: who owns which variables of this scope; do not change',
      'varTrack what its last write replaced; do not change',
    ]);
    for (const each of own) expect(each).toMatchObject({ type: 'encrypted', target: ['preview'], gitBranch: 'feature/x' });
  });
});

describe('the deploy hook', () => {
  test('is called when a change has arrived or was undone, and not otherwise', async () => {
    const server = await startVercel();
    onTestFinished(() => server.stop());
    const { sync, undo, planFor } = await begin(server, { redeploy: { env: 'HOOK' } });
    await sync({ host: 'db1' });
    expect(server.deployments()).toBe(1);
    await planFor({ host: 'db1' });
    await sync({ host: 'db1' }, 'refuse', 'b'.repeat(40));
    expect(server.deployments()).toBe(1);
    await sync({ host: 'db2' });
    await undo(3);
    expect(server.deployments()).toBe(3);
  });

  test('that fails leaves a write that is not done until a later attempt has called it, and its URL is in no message', async () => {
    const server = await startVercel();
    onTestFinished(() => server.stop());
    const name = 'acme';
    const project = server.project(name);
    let hook = `${server.url}/${canary}`;
    const sink = await vercel.connect(optionsFor(server), async (reference) => ('env' in reference && reference.env === 'HOOK' ? hook : server.token('admin')));
    onTestFinished(() => sink.close());
    const { place, planWrite } = await begin(server, { redeploy: { env: 'HOOK' } }, project, name);
    const made = await planWrite({ host: 'db1' });
    const error = await failure(sink.apply(place, made, contextFor([])), 'unavailable');
    expect(error.message).toContain('the variables are written, but no deployment was started: the deploy hook answered 403');
    expect([...project.variables.values()].map(({ key }) => key)).toContain('HOST');
    expect((await planWrite({ host: 'db1' })).ledger.generation).toBe(2);
    hook = server.deployHook;
    await sink.apply(place, made, contextFor([]));
    expect(server.deployments()).toBe(1);
    await expect(planWrite({ host: 'db1' })).rejects.toThrow('unchanged');
  });
});

test('a write that is throttled half-way is finished by those that come when they may', async () => {
  const server = await startVercel({ limits: { requests: 14, deletes: 6, windowMs: 1_500 } });
  onTestFinished(() => server.stop());
  const { sink, place, planWrite, find } = await begin(server, {});
  const throttled: number[] = [];
  const insist = async <Value>(work: () => Promise<Value>): Promise<Value> => {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        throttled.push((await failure(Promise.reject(error), 'throttled')).retryAfterMs ?? -1);
      }
    }
  };
  const made = await insist(() => planWrite({ host: 'db1', port: 1 }));
  await insist(() => sink.apply(place, made, contextFor(made.entries)));
  const next = await insist(() => planWrite({ host: 'db2' }));
  await insist(() => sink.apply(place, next, contextFor(next.entries)));
  expect(find('HOST').value).toBe('db2');
  expect(throttled.length).toBeGreaterThan(0);
  for (const ms of throttled) expect(ms).toBeGreaterThanOrEqual(0);
}, 60_000);

interface Stage {
  readonly project: Project;
  readonly sink: Sink;
  readonly place: Place;
  planFor(values: Values, onExisting?: 'refuse' | 'overwrite', commit?: string): Promise<ReturnType<typeof plan>>;
  planWrite(values: Values, onExisting?: 'refuse' | 'overwrite', commit?: string): Promise<WritePlan>;
  sync(values: Values, onExisting?: 'refuse' | 'overwrite', commit?: string): Promise<{ readonly writes: number }>;
  undo(generation: number): Promise<unknown>;
  find(key: string): Draft & { readonly id: string };
}

let projects = 0;

async function begin(server: VercelServer, destination: Readonly<Record<string, unknown>>, given?: Project, name = `acme-${++projects}`): Promise<Stage> {
  const project = given ?? server.project(name);
  const fields = vercel.destination.parse(destination);
  const place: Place = { name, layout: fields.layout, fields };
  const resolve = async (reference: object) => ('env' in reference && reference.env === 'HOOK' ? server.deployHook : server.token('admin'));
  const sink = await vercel.connect(optionsFor(server), resolve);
  onTestFinished(() => sink.close());

  async function planFor(values: Values, onExisting: 'refuse' | 'overwrite' = 'refuse', commit = 'a'.repeat(40)) {
    const entries = entriesOf(values).map((entry) => vercel.render(entry, fields));
    const live = await sink.read(place, contextFor(entries));
    const desired = { entries, owner, stream: 'config/main', commit, inputsMoved: true, write: `w${++projects}`, at: '2026-11-24T00:00:00Z' };
    return plan(desired, live, policyOf({ readBack: vercel.layouts[fields.layout]?.values ?? 'readable', onExisting }), fingerprint);
  }

  async function planWrite(...args: Parameters<typeof planFor>): Promise<WritePlan> {
    const made = await planFor(...args);
    if (made.kind !== 'write') throw new Error(`expected a write, got ${JSON.stringify(made)}`);
    return made;
  }

  return {
    project,
    sink,
    place,
    planFor,
    planWrite,
    sync: async (...args) => {
      const made = await planWrite(...args);
      return sink.apply(place, made, contextFor(made.entries));
    },
    undo: (generation) => sink.restore(place, generation, contextFor([])),
    find: (key) => {
      const found = [...project.variables.values()].find((each) => each.key === key);
      if (!found) throw new Error(`there is no ${key}`);
      return found;
    },
  };
}
