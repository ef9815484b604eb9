import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatPath } from '../../../domain/value.ts';
import { entryName, isReserved, placeNameProblem, placeNames, type Separator } from '../../../sinks/consul/place-names.ts';

test('the ledger of a prefix is below it, that of a document beside it', () => {
  expect(placeNames('acme/prod/')).toEqual({ ledger: 'acme/prod/.vartrack', undo: 'acme/prod/.vartrack.undo' });
  expect(placeNames('acme/app.json')).toEqual({ ledger: 'acme/app.json.vartrack', undo: 'acme/app.json.vartrack.undo' });
});

test.each([
  ['acme/prod/', 'keys', null],
  ['acme/prod', 'keys', 'ending in /'],
  ['', 'keys', 'ending in /'],
  ['/acme/', 'keys', 'begins with /'],
  ['acme//prod/', 'keys', 'empty step'],
  ['acme/../prod/', 'keys', '. or ..'],
  ['acme/app.json', 'document', null],
  ['acme/', 'document', 'ends in /'],
  ['', 'document', 'empty step'],
  ['acme/app.vartrack', 'document', 'where ledgers live'],
  ['acme/app.vartrack.undo', 'document', 'where ledgers live'],
  ['acme/\u0001', 'document', 'control character'],
  ['acme/\ud800', 'document', 'surrogate'],
  ['a'.repeat(401), 'document', '400 bytes'],
] as const)('the place %j with layout %s: %s', (place, layout, problem) => {
  if (problem === null) expect(placeNameProblem(place, layout)).toBeNull();
  else expect(placeNameProblem(place, layout)).toContain(problem);
});

describe('names of keys', () => {
  test.each([
    ['redis.port', '.', 'redis.port'],
    ['redis.port', '/', 'redis/port'],
    ['dotted\\.name.x', '/', 'dotted.name/x'],
    ['a/b', '.', 'a%2Fb'],
    ['a/b', '/', 'a%2Fb'],
    ['50%', '/', '50%25'],
    ['', '.', '%'],
    ['a..b', '/', 'a/%/b'],
    ['\\.\\.', '/', '%2E%2E'],
  ] as const)('%j with %s is %j', (key, separator, name) => {
    expect(entryName(key, separator)).toBe(name);
  });

  test.each(['.', '/'] as const)('two keys never have one name, with %s', (separator: Separator) => {
    const path = fc.array(fc.string({ unit: fc.constantFrom('a', '.', '/', '%', '\\', '2', 'F', '\u0001'), maxLength: 4 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(path, path, (a, b) => {
        const [one, two] = [formatPath(a), formatPath(b)];
        fc.pre(one !== two);
        expect(entryName(one, separator)).not.toBe(entryName(two, separator));
      }),
      { numRuns: 2_000 },
    );
  });

  test('are reserved where a ledger could be', () => {
    expect(['.vartrack', 'app.vartrack.undo', 'a/.vartrack', 'vartrack', '.vartrack.x'].map(isReserved)).toEqual([true, true, true, false, false]);
  });
});
