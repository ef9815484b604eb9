import { describe, expect, test } from 'vitest';
import { entryName, placeNameProblem, placeNames } from '../../../sinks/s3/place-names.ts';

test('ledger and undo record live beside the object, or below the prefix', () => {
  expect(placeNames('config/acme/app.json')).toMatchObject({
    bucket: 'config',
    name: 'acme/app.json',
    ledger: 'acme/app.json.vartrack.json',
    undo: 'acme/app.json.vartrack.undo.json',
  });
  expect(placeNames('config/acme/')).toMatchObject({ name: 'acme/', ledger: 'acme/.vartrack.json', undo: 'acme/.vartrack.undo.json' });
});

describe('a place', () => {
  test.each([
    ['object', 'config/app.json'],
    ['object', 'my.bucket-1/a/b/c d/ü.yaml'],
    ['keys', 'config/acme/prod/'],
    ['keys', 'config/'],
  ] as const)('of layout %s may be %s', (layout, name) => expect(placeNameProblem(name, layout)).toBeNull());

  test.each([
    ['object', 'config'],
    ['object', 'config/'],
    ['object', 'config/folder/'],
    ['object', '/key'],
    ['object', 'Config/key'],
    ['object', 'c/key'],
    ['object', 'config//key'],
    ['object', 'config/a/../b'],
    ['object', 'config/a\\b'],
    ['object', 'config/a\nb'],
    ['object', 'config/\ud800'],
    ['object', 'config/app.json.vartrack.json'],
    ['object', 'config/app.json.vartrack.undo.json'],
    ['object', `config/${'x'.repeat(1_001)}`],
    ['keys', 'config'],
    ['keys', 'config/prefix'],
    ['keys', 'config/a//'],
    ['keys', `config/${'x'.repeat(401)}/`],
  ] as const)('of layout %s may not be %j', (layout, name) => expect(placeNameProblem(name, layout)).toEqual(expect.any(String)));
});

test('names of keys are one step each, and no two are the same', () => {
  const keys = ['a.b', 'a\\.b', 'a/b', 'a%2Fb', 'a\\\\b', '../x', 'a\nb'];
  const names = keys.map(entryName);
  expect(names.filter((name) => /[/\\\n]/.test(name))).toEqual([]);
  expect(new Set(names).size).toBe(keys.length);
  expect(names.map(decodeURIComponent)).toEqual(keys);
});
