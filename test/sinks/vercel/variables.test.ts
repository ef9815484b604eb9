import { expect, onTestFinished, test } from 'vitest';
import { createVariables, type Draft, type Variables } from '../../../sinks/vercel/variables.ts';
import { startVercel, type VercelBehaviour, type VercelServer } from '../../servers/vercel.ts';
import { canary, failure } from '../contract/scenario.ts';
import { optionsFor } from './bench.ts';

const { signal } = new AbortController();
const everywhere = ['development', 'preview', 'production'];
const draft: Draft = {
  key: 'HOST',
  value: 'db1',
  type: 'encrypted',
  targets: ['preview', 'production'],
  gitBranch: null,
  customEnvironments: [],
  comment: 'c',
};

test('a list has the values of encrypted and plain variables, and none of sensitive ones', async () => {
  const { variables } = await begin();
  const drafts = [draft, { ...draft, key: 'PLAIN', type: 'plain' }, { ...draft, key: 'SECRET', type: 'sensitive' }];
  const made = await variables.create('acme', drafts, 'new', signal);
  expect(made.map(({ key }) => key)).toEqual(['HOST', 'PLAIN', 'SECRET']);
  const found = await variables.list('acme', everywhere, signal);
  expect(found).toMatchObject([draft, { ...draft, key: 'PLAIN', type: 'plain' }, { ...draft, key: 'SECRET', type: 'sensitive', value: null }]);
  expect(found.map(({ id, updatedAt }) => [id, updatedAt])).toEqual(made.map(({ id, updatedAt }) => [id, updatedAt]));
});

test('where lists have no values any more, each is read by itself', async () => {
  const { variables } = await begin({ decryptsLists: false });
  await variables.create('acme', [draft, { ...draft, key: 'SECRET', type: 'sensitive' }], 'new', signal);
  expect((await variables.list('acme', everywhere, signal)).map(({ key, value }) => [key, value])).toEqual([
    ['HOST', 'db1'],
    ['SECRET', null],
  ]);
});

test('a list that hides variables of production is a failure for who asks for those, and never one without them (I3)', async () => {
  const { variables } = await begin({ hidden: 2 });
  expect((await failure(variables.list('acme', everywhere, signal), 'unauthorized')).message).toContain('2 variables of production');
  expect(await variables.list('acme', ['development', 'preview'], signal)).toEqual([]);
});

test('a list with another page is a failure, and never one that is complete (I3)', async () => {
  const { variables } = await begin({ paged: true });
  await failure(variables.list('acme', everywhere, signal), 'unsupported');
});

test('a variable that is there is a conflict that names it; upsert and edit replace it', async () => {
  const { server, variables } = await begin();
  const [made] = await variables.create('acme', [draft], 'new', signal);
  const error = await failure(
    variables.create(
      'acme',
      [
        { ...draft, key: 'FRESH' },
        { ...draft, value: canary },
      ],
      'new',
      signal,
    ),
    'conflict',
  );
  expect(error).toMatchObject({ key: 'HOST', message: 'vercel acme: HOST was made since it was read' });
  await variables.create('acme', [{ ...draft, value: 'db2', comment: '' }], 'upsert', signal);
  await variables.edit('acme', made?.id ?? '', { ...draft, value: 'db3', targets: ['preview'], gitBranch: 'feature/x' }, signal);
  expect(server.project('acme').variables.get(made?.id ?? '')).toMatchObject({ value: 'db3', target: ['preview'], gitBranch: 'feature/x' });
  await variables.edit('acme', made?.id ?? '', draft, signal);
  expect(await variables.list('acme', everywhere, signal)).toContainEqual(expect.objectContaining(draft));
});

test('what Vercel refuses is told with its code and without the value', async () => {
  const { variables } = await begin();
  const error = await failure(variables.create('acme', [{ ...draft, key: 'TZ', value: canary }], 'new', signal), 'rejected');
  expect(error.message).toBe('vercel acme: TZ was refused by Vercel (RESERVED_ENV_VARIABLE)');
});

test('more variables than one request takes are made and removed in several', async () => {
  const { server, variables } = await begin();
  const drafts = Array.from({ length: 230 }, (_, index) => ({ ...draft, key: `KEY_${index}` }));
  const made = await variables.create('acme', drafts, 'new', signal);
  expect(server.project('acme').variables.size).toBe(230);
  await variables.remove(
    'acme',
    made.map(({ id }) => id),
    signal,
  );
  expect(server.project('acme').variables.size).toBe(0);
});

test('a project that is not there, and one of another team, are neither empty nor absent', async () => {
  const { server, variables } = await begin();
  expect((await failure(variables.list('nowhere', everywhere, signal), 'rejected')).message).toContain('there is no such project');
  const other = open(server, { teamId: 'team_other' });
  await failure(other.list('acme', everywhere, signal), 'unauthorized');
});

test('a limit of the server is told with the time that it names, and stops all that use the token', async () => {
  const { server, variables } = await begin({ limits: { requests: 1, deletes: 1, windowMs: 60_000 } });
  await variables.list('acme', everywhere, signal);
  const error = await failure(variables.list('acme', everywhere, signal), 'throttled');
  expect(error.retryAfterMs).toBeGreaterThan(30_000);
  const other = open(server, { requestTimeout: '50ms' });
  const again = await failure(other.list('acme', everywhere, signal), 'throttled');
  expect(again.message).toContain('vercel acme: the token has no request left');
});

test('a token that was replaced is read again after one refusal', async () => {
  const { server } = await begin();
  let token = 'old';
  const variables = createVariables(optionsFor(server), async () => token);
  onTestFinished(() => variables.close());
  await failure(variables.list('acme', everywhere, signal), 'unauthorized');
  token = server.token('admin');
  expect(await variables.list('acme', everywhere, signal)).toEqual([]);
});

test('a token that cannot be read is told by its reference', async () => {
  const { server } = await begin();
  const variables = createVariables(optionsFor(server), () => Promise.reject(new Error('the environment variable TOKEN is not set')));
  onTestFinished(() => variables.close());
  expect((await failure(variables.list('acme', everywhere, signal), 'unavailable')).message).toBe('vercel acme: the environment variable TOKEN is not set');
});

async function begin(behaviour: VercelBehaviour = {}): Promise<{ readonly server: VercelServer; readonly variables: Variables }> {
  const server = await startVercel(behaviour);
  server.project('acme');
  onTestFinished(() => server.stop());
  return { server, variables: open(server) };
}

function open(server: VercelServer, more: Readonly<Record<string, unknown>> = {}): Variables {
  const variables = createVariables(optionsFor(server, more), async () => server.token('admin'));
  onTestFinished(() => variables.close());
  return variables;
}
