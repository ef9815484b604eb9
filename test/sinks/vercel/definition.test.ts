import { describe, expect, test } from 'vitest';
import { parsePath } from '../../../domain/value.ts';
import { vercel } from '../../../sinks/vercel.ts';

const fields = vercel.destination.parse({});
const render = (path: string, value: string) => vercel.render({ path: parsePath(path), value }, fields);
const optionsWith = (more: object) => vercel.options.safeParse({ token: { env: 'T' }, ...more });

describe('a destination', () => {
  test('is for all environments unless it says for which', () => {
    expect(fields).toEqual({ type: 'encrypted', layout: 'env', targets: ['development', 'preview', 'production'], customEnvironments: [] });
    expect(vercel.destination.parse({ gitBranch: 'x' }).targets).toEqual(['preview']);
    expect(vercel.destination.parse({ customEnvironments: ['env_1'] }).targets).toEqual([]);
    expect(vercel.destination.parse({ targets: ['production'], customEnvironments: ['env_2', 'env_1'] })).toMatchObject({
      targets: ['production'],
      customEnvironments: ['env_1', 'env_2'],
    });
  });

  test.each([
    ['a branch of production', { targets: ['production'], gitBranch: 'x' }, 'targets: [preview]'],
    ['a branch of a custom environment', { gitBranch: 'x', targets: ['preview'], customEnvironments: ['env_1'] }, 'targets: [preview]'],
    ['sensitive values for development', { type: 'sensitive' }, 'no sensitive variables for development'],
    ['no environment', { targets: [] }, 'name a target'],
    ['a custom environment by name', { customEnvironments: ['staging'] }, 'id of a custom environment'],
    ['the URL of a hook itself', { redeploy: 'https://api.vercel.com/v1/integrations/deploy/x/y' }, 'a credential itself never stands in the bundle'],
  ])('is refused with %s', (_name, given, message) => {
    const { error } = vercel.destination.safeParse(given);
    expect(error?.issues.map((issue) => issue.message).join()).toContain(message);
  });

  test('is told by project and scope, so that one project has a target for each scope', () => {
    const of = (given: object) => vercel.identity('acme', vercel.destination.parse(given));
    expect(of({ targets: ['preview', 'production'] })).toBe(of({ targets: ['production', 'preview'], type: 'sensitive' }));
    expect(new Set([of({}), of({ targets: ['preview'] }), of({ gitBranch: 'x' }), of({ customEnvironments: ['env_1'] })]).size).toBe(4);
  });
});

test.each([['a/b'], [''], ['x'.repeat(101)], ['mit leer']])('%j is no project', (name) => {
  expect(vercel.placeProblem(name, fields, optionsWith({}).data as never)).toContain('name or id of a project');
});

test.each([
  ['tz', 'which Vercel reserves'],
  ['aws.lambda.function.name', 'which Vercel reserves'],
  ['vartrack.ledger', "varTrack's own"],
  ['1st', 'cannot be the name'],
])('the key %s is refused', (path, message) => {
  expect(() => render(path, 'x')).toThrow(expect.objectContaining({ reason: 'unsupported', message: expect.stringContaining(message), key: path }));
});

test('names are those of the env format, and values are as they are', () => {
  expect(render('redis.max-clients', ' 5\r\n')).toMatchObject({ key: 'REDIS_MAX_CLIENTS', text: ' 5\r\n' });
});

test.each([
  ['a NUL', 'a\0b', 'unsupported'],
  ['one half of a surrogate pair', '\ud800', 'unsupported'],
  ['more than a deployment takes', 'x'.repeat(65_600), 'too-large'],
])('a value with %s is refused', (_name, value, reason) => {
  expect(() => render('host', value)).toThrow(expect.objectContaining({ reason }));
});

test('the whole desired state and its ledger have to fit a deployment', () => {
  const entries = (count: number) => Array.from({ length: count }, (_, index) => render(`key${index}`, 'x'.repeat(600)));
  expect(vercel.limitProblem(entries(90), fields)).toBeNull();
  expect(vercel.limitProblem(entries(110), fields)).toMatch(/above the limit of 65536/);
});

test.each([
  ['a team by name', { teamId: 'acme' }],
  ['a path in its url', { url: 'https://api.vercel.com/v1' }],
  ['a token as text', { token: 'abc' }],
])('options with %s are refused', (_name, given) => {
  expect(optionsWith(given).success).toBe(false);
  expect(optionsWith({}).success).toBe(true);
});

test('two teams are two systems', () => {
  const systemOf = (given: object) => vercel.system(vercel.options.parse({ token: { env: 'T' }, ...given }));
  expect(systemOf({ teamId: 'team_a' })).not.toBe(systemOf({ teamId: 'team_b' }));
  expect(systemOf({ url: 'https://api.vercel.com/' })).toBe(systemOf({ token: { env: 'OTHER' } }));
});
