import { expect, it } from 'vitest';
import type { Value } from '../../domain/value.ts';
import {
  fillSecrets,
  formatSecretReference,
  holdsSecret,
  mentionsSecret,
  parseSecretReference,
  parseSecretString,
  type SecretReference,
} from '../../domain/secret-reference.ts';

const db = { path: 'app/db', field: 'password' };

it.each<[string, readonly (string | SecretReference)[]]>([
  ['@secret(app/db#password)', [db]],
  ['@secret(vault:app/db#password)', [{ manager: 'vault', ...db }]],
  ['@secret(vault:app/db#password?version=3)', [{ manager: 'vault', ...db, version: 3 }]],
  ['@secret(app/db#password?version=12)', [{ ...db, version: 12 }]],
  ['@secret(vault:a:b#c)', [{ manager: 'vault', path: 'a:b', field: 'c' }]],
  ['postgres://u:@secret(app/db#password)@@secret(app/db#host):5432/x', ['postgres://u:', db, '@', { path: 'app/db', field: 'host' }, ':5432/x']],
  ['@secret(app/db#password)@secret(app/db#password)', [db, db]],
  ['nothing here', ['nothing here']],
  ['', ['']],
  ['ann@secret.example.com', ['ann@secret.example.com']],
  ['the @secret of it', ['the @secret of it']],
  [String.raw`\@secret(app/db#password)`, ['@secret(app/db#password)']],
  [String.raw`\\@secret(app/db#password)`, ['\\', db]],
  [String.raw`\\\@secret(x`, ['\\@secret(x']],
  [String.raw`C:\\dir\@Secrets [x`, [String.raw`C:\\dir@Secrets [x`]],
  [String.raw`a \@secret(x) and @secret(app/db#password)`, ['a @secret(x) and ', db]],
  ['two\nlines @secret(app/db#password)\n', ['two\nlines ', db, '\n']],
])('reads %j', (text, parts) => {
  expect(parseSecretString(text)).toEqual({ parts, problems: [] });
});

it.each<[string, number, RegExp]>([
  ['@secret(app/db)', 1, /names no #field/],
  ['@secret()', 1, /names no #field/],
  ['pre @secret(app/db#)', 5, /no field after the #/],
  ['@secret(#password)', 1, /names no path/],
  ['@secret(vault:#password)', 1, /names no path/],
  ['@secret(app/db#password', 1, /no closing parenthesis/],
  ['@secret(app/db#password?version=0)', 1, /not version=/],
  ['@secret(app/db#password?v=1)', 1, /not version=/],
  ['@secret(app/db?version=1#password)', 1, /\? in the wrong place/],
  ['@secret(app/db#a#b)', 1, /more than one #/],
  ['@secret(/app/db#a)', 1, /empty part or dots/],
  ['@secret(app/../db#a)', 1, /empty part or dots/],
  ['@secret( app/db#a)', 1, /spaces/],
  ['@secret(My Vault:app#a)', 1, /spaces/],
  ['@secret(Vault_X:app#a)', 1, /before the :/],
  ['@secrets(app/db#a)', 1, /looks like a secret reference/],
  ['@Secret(app/db#a)', 1, /looks like a secret reference/],
  ['@secret (app/db#a)', 1, /looks like a secret reference/],
  ['@secret{app/db#a}', 1, /looks like a secret reference/],
  ['@secret(app/@secret(x#y)#a)', 1, /parenthesis inside/],
])('refuses %j at character %i', (text, at, message) => {
  const { problems } = parseSecretString(text);
  expect(problems).toEqual([{ at, message: expect.stringMatching(message) as string }]);
  expect(problems[0]?.message).toContain('write @secret(path#field)');
});

it('tells every mistake of one string', () => {
  expect(parseSecretString('@secret(a) and @secret(b)').problems.map(({ at }) => at)).toEqual([1, 16]);
});

it('never quotes what stands in a mistyped reference', () => {
  for (const text of ['@secret(hunter2)', '@secret{hunter2}', '@secret(hunter2', '@secret(a b#hunter2)', '@secret(hunter2:a:#b)'])
    expect(JSON.stringify(parseSecretString(text).problems)).not.toContain('hunter2');
});

it('formats a reference as it is read', () => {
  for (const text of ['@secret(a/b#c)', '@secret(vault:a/b#c)', '@secret(vault:a/b#c?version=3)']) {
    const [part] = parseSecretString(text).parts;
    expect(formatSecretReference(part as SecretReference)).toBe(text);
  }
  expect(parseSecretReference('a/b#c')).toEqual({ path: 'a/b', field: 'c' });
});

it('fills references at any depth and undoes escapes', () => {
  const value = new Map<string, Value>([
    ['a', ['x', new Map([['b', 'u:@secret(app/db#password)']])]],
    ['c', String.raw`\@secret(x)`],
    ['n', 1],
  ]);
  expect(holdsSecret(value)).toBe(true);
  expect(holdsSecret(String.raw`\@secret(x#y)`)).toBe(false);
  expect(fillSecrets(value, ({ field }) => `<${field}$&>`)).toEqual(
    new Map<string, unknown>([
      ['a', ['x', new Map([['b', 'u:<password$&>']])]],
      ['c', '@secret(x)'],
      ['n', 1],
    ]),
  );
});

it('what a filled value looks like is not read again', () => {
  expect(fillSecrets('@secret(a#b)', () => '@secret(c#d)')).toBe('@secret(c#d)');
});

it('passes texts without a reference by', () => {
  expect(mentionsSecret('ann@example.com')).toBe(false);
  expect(mentionsSecret(String.raw`\@secret(`)).toBe(true);
});
