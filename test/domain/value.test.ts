import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatPath, nodeAt, originAt, parsePath, toJson, valueOf, type Value } from '../../domain/value.ts';
import { documents, nastyKey } from '../clients/formats/values.ts';
import { nodeOf } from './nodes.ts';

describe('a path as text', () => {
  it('is read back as it was', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(nastyKey, fc.constantFrom('.', '\\', '\\.', 'a.', '.a', '')), { minLength: 1, maxLength: 4 }), (path) => {
        expect(parsePath(formatPath(path))).toEqual(path);
      }),
    );
  });

  it('has dots between names and a backslash in front of a literal one', () => {
    expect(formatPath(['a', 'b.c', 'd\\e'])).toBe('a.b\\.c.d\\\\e');
    expect(parsePath('a..b')).toEqual(['a', '', 'b']);
    expect(parsePath('a\\')).toEqual(['a\\']);
  });
});

describe('JSON text', () => {
  it('says the same as JSON.stringify of values that both know', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        expect(toJson(valueOf(nodeOf(data)))).toBe(JSON.stringify(fromMaps(valueOf(nodeOf(data)))));
      }),
    );
  });

  it('is equal for equal values when sorted, whatever the order of their keys', () => {
    fc.assert(
      fc.property(documents({ key: nastyKey, nulls: true }), (value) => {
        expect(toJson(reversed(value), 'sorted')).toBe(toJson(value, 'sorted'));
      }),
    );
  });

  it('keeps integers exact and map entries in their order', () => {
    const value = new Map<string, Value>([
      ['b', 12345678901234567890n],
      ['a', [1.5, -0, true, null, '\n']],
      ['__proto__', new Map()],
    ]);
    expect(toJson(value)).toBe('{"b":12345678901234567890,"a":[1.5,0,true,null,"\\n"],"__proto__":{}}');
    expect(toJson(value, 'sorted')).toBe('{"__proto__":{},"a":[1.5,0,true,null,"\\n"],"b":12345678901234567890}');
  });

  it('does not exist for a number that is not finite', () => {
    expect(() => toJson([Number.NaN])).toThrow(TypeError);
  });
});

describe('the node at a path', () => {
  const root = nodeOf({ a: { b: [10, { c: 1 }] } });

  it('is found through maps and lists', () => {
    expect(nodeAt(root, [])).toBe(root);
    expect(nodeAt(root, ['a', 'b', '1', 'c'])).toMatchObject({ value: 1 });
  });

  it.each([[['x']], [['a', 'b', '2']], [['a', 'b', '']], [['a', 'b', '-1']], [['a', 'b', '1e0']], [['a', 'b', '0', 'z']], [['a', 'constructor']]])(
    'is absent at %j',
    (path) => {
      expect(nodeAt(root, path)).toBeUndefined();
    },
  );

  it('that is missing has the origin of the nearest one above it', () => {
    const overlaid = nodeOf(new Map([['a', 1]]), 'b.yaml', 7);
    expect(originAt(overlaid, ['a', 'x'])).toMatchObject({ file: 'b.yaml', line: 7 });
    expect(originAt(overlaid, ['z'])).toBe(overlaid.origin);
  });
});

function reversed(value: Value): Value {
  if (value instanceof Map) return new Map([...value].toReversed().map(([key, child]) => [key, reversed(child)]));
  return Array.isArray(value) ? value.map(reversed) : value;
}

/** Null prototypes, so that a key __proto__ is a key. */
function fromMaps(value: Value): unknown {
  if (Array.isArray(value)) return value.map(fromMaps);
  if (!(value instanceof Map)) return value;
  const record = Object.create(null) as Record<string, unknown>;
  for (const [key, child] of value) Object.defineProperty(record, key, { value: fromMaps(child), enumerable: true, configurable: true });
  return record;
}
