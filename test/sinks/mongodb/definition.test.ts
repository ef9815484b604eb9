import { expect, test } from 'vitest';
import type { Value } from '../../../domain/value.ts';
import type { SinkError } from '../../../sinks/errors.ts';
import { mongodb } from '../../../sinks/mongodb.ts';

type Destination = Readonly<Record<string, unknown>>;

const keys: Destination = { layout: 'keys' };
const render = (path: readonly string[], value: Value, destination: Destination = {}) =>
  mongodb.render({ path, value }, mongodb.destination.parse(destination));

test('a value is its JSON text, whatever type BSON has for it', () => {
  expect(render(['a', 'b.c'], 5)).toMatchObject({ key: 'a.b\\.c', text: '5' });
  expect(render(['a'], 'x', keys).text).toBe('"x"');
  expect(render(['a'], 2n ** 100n).text).toBe('1267650600228229401496703205376');
  expect(
    render(
      ['a'],
      [
        new Map([
          ['b', 1],
          ['a', 2],
        ]),
      ],
    ).text,
  ).toBe('[{"a":2,"b":1}]');
});

test.each<[string, readonly string[], Value, Destination, string]>([
  ['a field _id', ['_id'], 'x', {}, 'not free'],
  ['a field _vartrack', ['_vartrack', 'a'], 'x', {}, 'not free'],
  ['an operator', ['$set'], 'x', {}, 'reads as an operator'],
  ['a NUL in a name', ['a\u0000b'], 'x', {}, 'NUL'],
  ['a NUL in a name of a list', ['a'], [new Map([['b\u0000', 1]])], keys, 'NUL'],
  ['half a surrogate pair', ['a'], '\ud800', {}, 'surrogate'],
  ['half a surrogate pair in a key', ['\ud800'], 'x', keys, 'surrogate'],
  ['an integer that no Decimal128 holds', ['a'], 10n ** 40n, {}, '41 digits'],
  ['the ledger of a collection', ['', 'vartrack'], 'x', keys, 'where the ledger'],
  ['a nested value that is too deep', Array.from({ length: 95 }, () => 'a'), 'x', {}, 'nested deeper'],
  ['a dot in a plain name', ['a.b'], 'x', { names: 'plain' }, 'names: plain'],
  ['a dollar in a plain name', ['a', '$b'], 'x', { names: 'plain' }, 'names: plain'],
  ['a quote in a plain name of a list', ['a'], [new Map([['"', 1]])], { ...keys, names: 'plain' }, 'names: plain'],
])('%s is refused when it is rendered', (_name, path, value, destination, message) => {
  const attempt = () => render(path, value, destination);
  expect(attempt).toThrow(expect.objectContaining({ reason: 'unsupported' }) as SinkError);
  expect(attempt).toThrow(message);
});

test('names that only a document makes fields of are taken as keys', () => {
  for (const name of ['_id', '$set', 'a.b', '"']) expect(render([name], 'x', { ...keys, names: 'plain' }).text).toBe('"x"');
  expect(render(['a', '$b'], 'x').key).toBe('a.$b');
});

test.each([{}, keys])('what is too large is told before a write, in %j', (destination) => {
  const fields = mongodb.destination.parse(destination);
  const attempt = () => render(['a'], 'x'.repeat(11 * 1024 * 1024), destination);
  expect(attempt).toThrow(expect.objectContaining({ reason: 'too-large' }) as SinkError);
  const some = ['a', 'b', 'c'].map((name) => render([name], 'x'.repeat(4 * 1024 * 1024), destination));
  expect(mongodb.limitProblem(some, fields)).toContain('above the limit');
  expect(mongodb.limitProblem(some.slice(2), fields)).toBeNull();
  const many = Array.from({ length: 20_001 }, (_, index) => render([`k${index}`], 1, destination));
  expect(mongodb.limitProblem(many, fields)).toContain('20001 keys');
});

test('a key that is a value and a map is told before a write', () => {
  const entries = [render(['a'], 1), render(['a', 'b'], 2)];
  expect(mongodb.limitProblem(entries, mongodb.destination.parse({}))).toContain('a is a value');
});
