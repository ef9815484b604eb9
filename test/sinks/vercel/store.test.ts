import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { CasStore, ItemChange } from '../../../sinks/cas/cas-store.ts';
import type { Place } from '../../../sinks/sink.ts';
import { vercelDestination } from '../../../sinks/vercel/options.ts';
import { ownNames } from '../../../sinks/vercel/own-variable.ts';
import { scopeOf } from '../../../sinks/vercel/scope.ts';
import { createVercelStore } from '../../../sinks/vercel/store.ts';
import { createProject, type Project } from '../../servers/vercel/project.ts';
import { failure } from '../contract/scenario.ts';
import { projectVariables } from './project-variables.ts';

const fields = vercelDestination.parse({});
const place: Place = { name: 'acme', layout: fields.layout, fields };
const { ledger } = ownNames(scopeOf(fields));
const { signal } = new AbortController();

test('of many who replace the ledger from one version exactly one does, however their calls interleave', async () => {
  for (let round = 0; round < 60; round++) {
    const project = createProject();
    const first = round % 2 === 0 ? null : await put(createVercelStore(projectVariables(project)), null, 'first');
    const outcomes = await Promise.allSettled(
      Array.from({ length: 5 }, (_, index) => put(createVercelStore(projectVariables(project, someTurns)), first, `writer ${index}`)),
    );
    const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [{ index, version: outcome.value }] : []));
    for (const outcome of outcomes) if (outcome.status === 'rejected') await failure(Promise.reject(outcome.reason), 'conflict');
    expect(winners).toHaveLength(1);
    const [winner] = winners;
    const [found] = await read(project);
    expect({ body: found?.body.toString(), version: found?.version }).toEqual({ body: `writer ${winner?.index}`, version: winner?.version });
  }
});

test('somebody always gets on', async () => {
  const project = createProject();
  const store = createVercelStore(projectVariables(project, someTurns));
  const write = async (text: string): Promise<void> => {
    for (;;) {
      const seen = await store.version(place, ledger, signal);
      const outcome = await put(store, seen, text).catch(() => null);
      if (outcome !== null) return;
    }
  };
  await Promise.all(Array.from({ length: 5 }, (_, index) => write(`writer ${index}`)));
  expect(project.variables.size).toBe(1);
});

test('a late writer gets nowhere after others have written, twice or until the ledger was given up', async () => {
  const project = createProject();
  const store = createVercelStore(projectVariables(project));
  const seen = await put(store, null, 'first');
  const second = await put(store, seen, 'second');
  await failure(put(store, seen, 'late'), 'conflict');
  await failure(put(store, null, 'late'), 'conflict');
  const third = await put(store, second, 'third');
  await failure(put(store, seen, 'late'), 'conflict');
  expect((await read(project))[0]?.body.toString()).toBe('third');
  await store.write(place, [{ action: 'delete', name: ledger, expected: third }], signal);
  await failure(put(store, third, 'late'), 'conflict');
  expect(project.variables.size).toBe(0);
});

test('what a writer left behind that died before it tidied up is tidied up by the next', async () => {
  const project = createProject();
  const variables = projectVariables(project);
  const seen = await put(createVercelStore(variables), null, 'first');
  const died = createVercelStore({ ...variables, remove: () => Promise.reject(new Error('died')) });
  await expect(put(died, seen, 'second')).rejects.toThrow('died');
  const [found] = await read(project);
  expect({ body: found?.body.toString(), left: project.variables.size }).toEqual({ body: 'second', left: 2 });
  await put(createVercelStore(variables), found?.version ?? null, 'third');
  expect([...project.variables.values()].map((each) => each.value)).toEqual(['third']);
});

test('the ledger that is to be deleted has to be the one that was read', async () => {
  const project = createProject();
  const store = createVercelStore(projectVariables(project));
  const seen = await put(store, null, 'first');
  await put(store, seen, 'second');
  await failure(store.write(place, [{ action: 'delete', name: ledger, expected: seen }], signal), 'conflict');
  expect((await read(project))[0]?.body.toString()).toBe('second');
});

test('none of several changes is made if one of them met another value', async () => {
  const project = createProject();
  project.create({ key: 'HOST', value: 'theirs', type: 'plain', target: scopeOf(fields).targets }, false);
  const store = createVercelStore(projectVariables(project));
  const before = project.writes();
  const step = (name: string, expected: string | null): ItemChange => {
    return { action: 'put', name, expected, body: Buffer.from('ours'), attributes: { type: 'encrypted', comment: '' } };
  };
  await failure(store.write(place, [step('FRESH', null), step('HOST', 'another')], signal), 'conflict');
  expect(project.writes()).toBe(before);
});

async function put(store: CasStore, expected: string | null, text: string): Promise<string> {
  const [version] = await store.write(place, [{ action: 'put', name: ledger, expected, body: Buffer.from(text), attributes: {} }], signal);
  if (typeof version !== 'string') throw new Error('a put gives a version');
  return version;
}

function read(project: Project) {
  return createVercelStore(projectVariables(project)).get(place, [ledger], 1_000_000, signal);
}

async function someTurns(): Promise<void> {
  for (let turns = Math.floor(Math.random() * 6); turns > 0; turns--) await setImmediate();
}
