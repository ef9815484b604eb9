import { expect, test } from 'vitest';
import { placeNameProblem, placeNames } from '../../../sinks/mongodb/place-names.ts';

test('an id may have slashes, a database and a collection have none', () => {
  expect(placeNames('acme/settings/production/eu')).toEqual({ database: 'acme', collection: 'settings', id: 'production/eu' });
});

test.each([
  ['acme/settings/production', 'document'],
  ['acme/settings/production/eu', 'document'],
  ['acme/app.settings/x', 'document'],
  ['acme/settings', 'keys'],
] as const)('%s is a place of layout %s', (name, layout) => {
  expect(placeNameProblem(name, layout)).toBeNull();
});

test.each([
  ['acme/settings', 'document', 'has to be database/collection/id'],
  ['acme/settings/', 'document', 'has no id'],
  ['acme', 'keys', 'has to be database/collection'],
  ['acme/', 'keys', 'has no collection'],
  ['acme/settings/x', 'keys', 'a / too many'],
  ['/settings', 'keys', '1 to 63 bytes'],
  [`${'d'.repeat(64)}/settings`, 'keys', '1 to 63 bytes'],
  ['a.b/settings', 'keys', 'for a database'],
  ['a$b/settings', 'keys', 'for a database'],
  ['admin/settings', 'keys', 'a database of the server itself'],
  ['Config/settings', 'keys', 'a database of the server itself'],
  ['acme/$cmd', 'keys', 'has a $'],
  ['acme/system.users', 'keys', 'a collection of the server itself'],
  [`acme/${'c'.repeat(255)}`, 'keys', '255 bytes'],
  ['acme/settings/.vartrack', 'document', 'where the ledger of a collection lives'],
  [`acme/settings/${'i'.repeat(1_001)}`, 'document', '1000 bytes'],
  ['acme/settings/a\u0000b', 'document', 'a control character'],
  ['acme/settings/\ud800', 'document', 'surrogate pair'],
] as const)('%s is no place of layout %s: it %s', (name, layout, problem) => {
  expect(placeNameProblem(name, layout)).toContain(problem);
});
