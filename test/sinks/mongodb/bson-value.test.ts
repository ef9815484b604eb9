import { BSON, Decimal128, Double, Int32, ObjectId } from 'mongodb';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toJson, type Value } from '../../../domain/value.ts';
import { decodeTree, encodeTree, type Tree } from '../../../sinks/mongodb/bson-tree.ts';
import { sizeOfValue, textOfTree, treeOfValue, valueOfTree } from '../../../sinks/mongodb/bson-value.ts';

test.each<[Value, string]>([
  [5, 'int'],
  [-0, 'int'],
  [2 ** 31, 'long'],
  [2n ** 63n - 1n, 'long'],
  [2n ** 63n, 'decimal'],
  [-(10n ** 33n), 'decimal'],
  [0.1, 'double'],
  [1e300, 'double'],
])('%s is stored as %s, and read back as it was', (value, type) => {
  const bytes = encodeTree(new Map([['v', treeOfValue(value, BSON)]]), BSON);
  expect(bytes[4]).toBe({ int: 0x10, long: 0x12, decimal: 0x13, double: 0x01 }[type]);
  const tree = decodeTree(bytes, BSON).get('v') ?? null;
  expect(textOfTree(tree, BSON)).toBe(toJson(value));
});

test.each<[string, Tree]>([
  ['int32', new Int32(5)],
  ['int64', 5n],
  ['double', new Double(5)],
  ['Decimal128', Decimal128.fromString('5')],
])('5 is 5 as %s', (_type, tree) => {
  expect(textOfTree(tree, BSON)).toBe('5');
});

test.each<[string, Tree]>([
  ['a date', new Date(0)],
  ['an id', new ObjectId()],
  ['not a number', new Double(Number.NaN)],
  ['infinity', new Double(Number.POSITIVE_INFINITY)],
  ['a decimal fraction', Decimal128.fromString('0.1')],
  ['a list that has a date', ['x', new Date(0)]],
])('%s is no value, and its text is that of no value', (_name, tree) => {
  expect(valueOfTree(tree)).toBeUndefined();
  const text = textOfTree(tree, BSON);
  expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
  expect(textOfTree(decodeTree(encodeTree(new Map([['v', tree]]), BSON), BSON).get('v') ?? null, BSON)).toBe(text);
});

const scalar = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.boolean(),
  fc.constant(null),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const { value: anyValue } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(fc.string({ unit: fc.constantFrom('a', '1', '.', '$', 'ü', '_') }), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
  ),
}));

test('any value survives encoding and decoding, in its order, and is no larger than it was said to be', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const bytes = encodeTree(new Map([['v', treeOfValue(value, BSON)]]), BSON);
      const tree = decodeTree(bytes, BSON);
      expect(encodeTree(tree, BSON)).toEqual(bytes);
      const back = valueOfTree(tree.get('v') ?? null);
      expect(toJson(back ?? null)).toBe(toJson(value));
      expect(bytes.length).toBeLessThanOrEqual(sizeOfValue(new Map([['v', value]])) + 16);
    }),
  );
});
