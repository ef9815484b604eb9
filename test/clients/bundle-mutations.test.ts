import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseBundle } from '../../clients/bundle.ts';
import { formatPath } from '../../domain/value.ts';
import { fakeSinks } from './fake-sinks.ts';

const sound = {
  apiVersion: 'vartrack.dev/v1',
  settings: { fingerprintKey: { env: 'KEY' }, allowFileRepositories: true },
  tenants: {
    acme: {
      repositories: {
        config: { provider: 'github', url: 'https://h/a.git', credentials: { token: { env: 'T' }, username: 'x' }, webhookSecret: { file: 'f' }, poll: 'off' },
      },
      secretManagers: { vault: { kind: 'vault', address: 'https://vault', mount: 'm', kv: 1, auth: { method: 'token', token: { env: 'T' } } } },
      sinks: { cache: { kind: 'redis', url: 'redis://h', password: { env: 'P' } }, hosts: { kind: 'linux', host: 'web' } },
      rules: {
        settings: {
          from: {
            repository: 'config',
            files: ['a.yaml', { path: '{env}.yaml', format: 'yaml', optional: true }],
            select: 'a.b',
            blocks: 'off',
            lists: 'index',
          },
          environments: { branches: { main: 'production', 'r/*': 'rc-{branch}' }, tags: { 'v*': 'production' }, pullRequests: 'pr-{number}', paths: 'trunk' },
          schema: { file: 's.cue', definition: '#S', defaults: true },
          to: [
            { sink: 'cache', place: 'x:{env}', layout: 'keys' },
            { sink: 'hosts', place: '/etc/{env}', format: 'json' },
          ],
          prune: false,
          protect: ['a.*'],
          limits: { deletes: '10%' },
          onExisting: 'overwrite',
          onFailure: 'halt',
          drift: { mode: 'warn', interval: '1m', ignore: [] },
          timeout: '1h',
        },
      },
    },
  },
};

/** Every path of a document. */
function pathsOf(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [[]];
  return [[], ...Object.entries(value).flatMap(([name, child]) => pathsOf(child).map((path) => [name, ...path]))];
}

function replaced(value: unknown, path: readonly string[], by: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return by;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[first] = replaced(copy[first], rest, by);
  return copy;
}

const secret = 'hunter2-secret';
const junk = [
  null,
  true,
  7,
  -1,
  1.5,
  '',
  secret,
  `${secret}{`,
  '{x}',
  [],
  [secret],
  [null],
  {},
  { [`${secret}-key`]: 1 },
  { env: secret },
  { env: { env: 1 } },
];

test('the document that is mutated is sound', () => {
  expect(parseBundle(JSON.stringify(sound), 'b', fakeSinks).problems).toEqual([]);
});

test('a bundle with anything anywhere is taken or refused with positions and advice, never with an exception or a text of the library', () => {
  fc.assert(
    fc.property(fc.constantFrom(...pathsOf(sound)), fc.constantFrom(...junk), (path, value) => {
      const text = JSON.stringify(replaced(sound, path, value), null, 1);
      const { bundle, problems } = parseBundle(text, 'b', fakeSinks);
      expect(bundle === null).toBe(problems.length > 0);
      for (const problem of problems) {
        expect(problem.origin?.line).toBeGreaterThan(0);
        expect(problem.message).not.toMatch(/invalid|expected|undefined|\[object/i);
        expect(problem.message).not.toContain(`${secret}{`);
      }
    }),
    { numRuns: 400 },
  );
});

/** Maps whose keys are the user's own names. */
const open = new Set(['tenants', 'repositories', 'secretManagers', 'sinks', 'rules', 'branches', 'tags']);

test('every single misspelt field is refused, at its own place', () => {
  const fields = pathsOf(sound).filter((path) => path.length > 0 && Number.isNaN(Number(path.at(-1))) && !open.has(path.at(-2) ?? ''));
  expect(fields.length).toBeGreaterThan(50);
  for (const path of fields) {
    const parentPath = path.slice(0, -1);
    const parent = parentPath.reduce<unknown>((value, step) => (value as Record<string, unknown>)[step], sound) as object;
    const misspelt = Object.fromEntries(Object.entries(parent).map(([key, value]) => [key === path.at(-1) ? `${key}x` : key, value]));
    const { problems } = parseBundle(JSON.stringify(replaced(sound, parentPath, misspelt), null, 1), 'b', fakeSinks);
    const keys = problems.map(({ key }) => key ?? '');
    // References, schema and files are one of several forms, and are refused as a whole; a missing kind or method hides what else is wrong.
    expect(
      keys.some((key) => [`${formatPath(path)}x`, formatPath(parentPath), formatPath(path)].includes(key)),
      `${formatPath(path)}: ${keys.join(' ')}`,
    ).toBe(true);
    for (const problem of problems) expect(problem.message).not.toMatch(/invalid|expected|undefined|\[object/i);
  }
});
