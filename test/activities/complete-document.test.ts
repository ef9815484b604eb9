import { afterAll, expect, it } from 'vitest';
import { completeDocument } from '../../activities/complete-document.ts';
import type { Part } from '../../activities/compute-rule.ts';
import { createCue } from '../../clients/cue/cue.ts';
import { parseDocument } from '../../clients/formats/parse-document.ts';
import { findSecrets, locateSecrets } from '../../domain/find-secrets.ts';
import { formatProblem, InvalidInput } from '../../domain/problem.ts';
import { plain } from '../domain/nodes.ts';

const cue = createCue({ spare: 0 });
afterAll(() => cue.close());

async function complete(yaml: string, schema: string, { defaults = false, managers = ['vault'] } = {}) {
  const document = parseDocument(new TextEncoder().encode(yaml), 'a.yaml', {});
  const part = { name: 'settings', rule: { schema: { file: 'a.cue', definition: '#S', defaults } }, schemaPaths: ['a.cue'] } as unknown as Part;
  const content = new Map([['a.cue', new TextEncoder().encode(schema)]]);
  const found = findSecrets(document);
  if (found.problems.length > 0) throw new InvalidInput(found.problems);
  const { value, originOf, recheck } = await completeDocument('acme', part, document, found, content, cue, AbortSignal.timeout(30_000));
  return { value: plain(value), recheck, ...locateSecrets(value, managers, originOf) };
}

async function refusal(...args: Parameters<typeof complete>): Promise<string[]> {
  const error = await complete(...args).then(
    (done) => new InvalidInput(done.problems),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof InvalidInput)) throw error;
  return error.problems.map(formatProblem);
}

it('hides a reference from the schema, that sees a string', async () => {
  const { value, secrets } = await complete('url: "pg://u:@secret(app/db#pw)@h"\nplain: x\n', '#S: { url: string & =~"^pg://[a-z]", plain: "x" }\n');
  expect(value).toEqual({ url: 'pg://u:@secret(app/db#pw)@h', plain: 'x' });
  expect(secrets).toEqual([{ manager: 'vault', path: 'app/db', field: 'pw', key: 'url', origin: { file: 'a.yaml', line: 1, column: 6 } }]);
});

it('tells where a secret stands that the schema wants to be a number', async () => {
  const [problem] = await refusal('port: "@secret(app/db#port)"\n', '#S: port: int\n');
  expect(problem).toMatch(/^rule settings: a\.yaml:1:7 port: .*int.*\(a\.cue:1\)$/);
  expect(problem).not.toContain('app/db');
});

it('shows a schema what an escape stands for', async () => {
  const { value, secrets } = await complete(String.raw`a: '\@secret(x'`, '#S: a: "@secret(x"\n');
  expect({ value, secrets }).toEqual({ value: { a: String.raw`\@secret(x` }, secrets: [] });
});

it.each([
  ['a mistyped reference', 'a:\n  - "@secret(app/db)"\n', /^a\.yaml:2:5 a\.0: the secret reference names no #field; write/],
  ['one inside a text', 'a: "x @secret(app/db"\n', /^a\.yaml:1:4 a: at character 3 of the text the secret reference has no closing parenthesis/],
])('refuses %s with its position', async (_, yaml, message) => {
  expect(await refusal(yaml, '#S: {...}\n')).toEqual([expect.stringMatching(message)]);
});

it.each<[string, string, string, { managers: string[] }]>([
  ['no manager', '"@secret(a#b)"', 'no secret manager', { managers: [] }],
  ['several managers', '"@secret(a#b)"', 'several: one, two', { managers: ['one', 'two'] }],
  ['another manager', '"@secret(three:a#b)"', 'it has: one, two', { managers: ['one', 'two'] }],
])('refuses a reference of a tenant with %s', async (_, text, message, options) => {
  expect(await refusal(`x: ${text}\n`, '#S: x: string\n', options)).toEqual([expect.stringMatching(new RegExp(`^a\\.yaml:1:4 x: .*${message}`))]);
});

it('takes the reference of a field from the schema, in nested, optional and absent fields and in lists', async () => {
  const schema = `
#Db: { host: string, password: string @secret(app/db#pw) }
#S: {
	db:        #Db
	absent:    { token: string @secret(vault:app/t#token?version=3) }
	optional?: string @secret(app/o#o)
	standby:   [...#Db]
}
`;
  const { value, secrets } = await complete('db: { host: a }\nstandby: [{ host: b }]\n', schema);
  expect(value).toEqual({
    db: { host: 'a', password: '@secret(app/db#pw)' },
    absent: { token: '@secret(vault:app/t#token?version=3)' },
    optional: '@secret(app/o#o)',
    standby: [{ host: 'b', password: '@secret(app/db#pw)' }],
  });
  expect(secrets.map(({ key, path, field, version, origin }) => [key, path, field, version, origin.file])).toEqual(
    expect.arrayContaining([
      ['db.password', 'app/db', 'pw', undefined, 'a.cue'],
      ['absent.token', 'app/t', 'token', 3, 'a.cue'],
      ['standby.0.password', 'app/db', 'pw', undefined, 'a.cue'],
    ]),
  );
});

it('puts the attribute before a default of its field, and the reference of a file before the attribute', async () => {
  const schema = '#S: { a: string | *"none" @secret(x#a), b: string @secret(x#b), c: int | *5 }\n';
  const { value } = await complete('b: "@secret(y#b)"\n', schema, { defaults: true });
  expect(value).toEqual({ a: '@secret(x#a)', b: '@secret(y#b)', c: 5 });
});

it('refuses a plain value where the schema names a secret, and never shows it', async () => {
  const problems = await refusal('a: hunter2\n', '#S: a: string @secret(x#a)\n');
  expect(problems).toEqual([expect.stringMatching(/^a\.yaml:1:4 a: the schema takes it from a secret manager \(@secret at a\.cue:1\); remove the value/)]);
  expect(problems.join('')).not.toContain('hunter2');
});

it('refuses an attribute on a field that is no text', async () => {
  expect(await refusal('{}\n', '#S: port: int @secret(x#port)\n')).toEqual([expect.stringMatching(/a\.cue:1:.*port: .*int/)]);
});

it('refuses a mistyped attribute', async () => {
  expect(await refusal('{}\n', '#S: a: string @secret(x)\n')).toEqual([expect.stringMatching(/^a\.cue:1:\d+ a: the secret reference names no #field/)]);
});

it('refuses two secrets for one field, and takes the same one twice', async () => {
  expect(await refusal('{}\n', '#S: a: string @secret(x#a) @secret(x#b)\n')).toEqual([
    expect.stringMatching(/^a\.cue:1:\d+ a: the schema names another secret/),
  ]);
  expect((await complete('{}\n', '#A: a: string @secret(x#a)\n#S: #A & {a: string @secret(x#a)}\n')).value).toEqual({ a: '@secret(x#a)' });
});

it('asks the schema about the values when it is told to, and quotes none', async () => {
  const schema = '#S: { a: =~"^[a-z]+$", list: [...{b: string & !="hunter2" @secret(x#b)}], c: "is-\\(a)", lit: "@secret(" }\n';
  const { recheck } = await complete(`a: "@secret(x#a)"\nlist: [{}]\nc: "is-good"\nlit: '\\@secret('\n`, schema);
  const check = (a: string, b: string) => recheck?.(({ field }) => (field === 'a' ? a : b), AbortSignal.timeout(30_000));
  expect(await check('good', 'other')).toEqual([]);
  const problems = (await check('Bad-Value', 'hunter2')) ?? [];
  expect(problems.map(({ key }) => key)).toEqual(expect.arrayContaining(['a', 'list.0.b']));
  expect(problems.map(formatProblem).join('\n')).not.toMatch(/Bad-Value/);
  expect(problems.map(formatProblem).join('\n')).toMatch(/a\.yaml:1:4 a: /);
});

it('finds a reference that only a default of the schema has', async () => {
  const { secrets } = await complete('{}\n', '#S: a: string | *"u:@secret(x#a)"\n', { defaults: true });
  expect(secrets).toEqual([{ manager: 'vault', path: 'x', field: 'a', key: 'a', origin: { file: 'a.cue', line: 1, column: 1 } }]);
});
