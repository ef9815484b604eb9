import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findCollisions, flatten, leafText, unflatten } from '../../domain/flatten.ts';
import { formatPath, parsePath, toJson, valueOf, type Value } from '../../domain/value.ts';
import { documents, nastyKey } from '../clients/formats/values.ts';
import { mapOf } from './nodes.ts';

function flat(data: Record<string, unknown>, lists: 'json' | 'index' = 'json'): Record<string, string> {
  const value = valueOf(mapOf(data)) as ReadonlyMap<string, Value>;
  return Object.fromEntries(flatten(value, lists).map((entry) => [formatPath(entry.path), leafText(entry.value)]));
}

describe('a flattened document', () => {
  it('has a leaf for each scalar, list and empty map, under its dotted path', () => {
    expect(flat({ a: { b: 1, 'c.d': 'x' }, list: [1, { e: null }], empty: {}, none: [], big: 12345678901234567890n, yes: true })).toEqual({
      'a.b': '1',
      'a.c\\.d': 'x',
      list: '[1,{"e":null}]',
      empty: '{}',
      none: '[]',
      big: '12345678901234567890',
      yes: 'true',
    });
  });

  it('has nothing for null, which makes a map empty but not absent', () => {
    expect(flat({ a: null, b: { c: null }, d: { e: null, f: 1 } })).toEqual({ b: '{}', 'd.f': '1' });
  });

  it('has a leaf for each item where lists are expanded', () => {
    expect(flat({ a: [1, { b: 2, c: null }, [], [3, null]], n: {} }, 'index')).toEqual({ 'a.0': '1', 'a.1.b': '2', 'a.2': '[]', 'a.3.0': '3', n: '{}' });
  });

  it('is the document again when put together', () => {
    fc.assert(
      fc.property(documents({ key: nastyKey, nulls: false }), (value) => {
        expect(toJson(unflatten(flatten(value, 'json')))).toBe(toJson(value));
      }),
    );
  });

  it('of a document with nulls is that of the document without them', () => {
    fc.assert(
      fc.property(documents({ key: nastyKey, nulls: true }), (value) => {
        expect(toJson(unflatten(flatten(value, 'json')))).toBe(toJson(withoutNulls(value)));
      }),
    );
  });

  it('has distinct paths, none of which leads through another, and their texts are read back', () => {
    fc.assert(
      fc.property(documents({ key: nastyKey, nulls: true }), fc.constantFrom('json' as const, 'index' as const), (value, lists) => {
        const paths = flatten(value, lists).map((entry) => entry.path);
        expect(new Set(paths.map(formatPath)).size).toBe(paths.length);
        for (const path of paths) {
          expect(parsePath(formatPath(path))).toEqual(path);
          for (const other of paths) if (other !== path) expect(other.slice(0, path.length)).not.toEqual(path);
        }
      }),
    );
  });
});

describe('entries that make no document', () => {
  it.each([
    [['a'], ['a', 'b'], 'a is a value and cannot also hold a.b'],
    [['a', 'b'], ['a'], 'it is there twice, or both a value and a map'],
    [['a'], ['a'], 'it is there twice, or both a value and a map'],
  ])('are refused: %j beside %j', (first, second, message) => {
    const entries = [first, second].map((path) => ({ path, value: new Map() }));
    expect(() => unflatten(entries)).toThrow(message);
  });
});

describe('two paths that become one sink key', () => {
  it('are a problem that names both', () => {
    const entries = ['a.b', 'a_b', 'c', 'A_B'].map((path) => ({ path: parsePath(path), value: 1, key: path.replace('.', '_').toUpperCase(), text: '1' }));
    expect(findCollisions(entries)).toEqual([
      { key: 'a_b', message: 'it becomes the sink key A_B, as does a.b; rename one of them' },
      { key: 'A_B', message: 'it becomes the sink key A_B, as does a.b; rename one of them' },
    ]);
    expect(findCollisions(entries.slice(1, 3))).toEqual([]);
  });
});

function withoutNulls(value: Value): Value {
  if (!(value instanceof Map)) return value;
  return new Map([...value].filter(([, child]) => child !== null).map(([key, child]) => [key, withoutNulls(child)]));
}
