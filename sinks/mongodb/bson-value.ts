import { isMap, toJson, type Value } from '../../domain/value.ts';
import { isTreeList, isTreeMap, type Bson, type Tree, type Typed } from './bson-tree.ts';

const MIN_INT32 = -(2 ** 31);
const MAX_INT32 = 2 ** 31 - 1;
const MAX_INT64 = 2n ** 63n;
/** Digits of a Decimal128. */
const MAX_DIGITS = 34;

/** The BSON of a value: the narrowest integer that holds it, a Decimal128 beyond 64 bits, a double for the rest. */
export function treeOfValue(value: Value, bson: Bson): Tree {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) return new bson.Double(value);
    return value >= MIN_INT32 && value <= MAX_INT32 ? new bson.Int32(value) : BigInt(value);
  }
  if (typeof value === 'bigint') return isInt64(value) ? value : bson.Decimal128.fromString(value.toString());
  if (value === null || typeof value !== 'object') return value;
  if (isMap(value)) return new Map([...value].map(([name, child]) => [name, treeOfValue(child, bson)]));
  return value.map((item) => treeOfValue(item, bson));
}

/** What is wrong with a value for BSON, or null. */
export function valueProblem(value: Value): string | null {
  if (typeof value === 'bigint' && !isInt64(value) && digitsOf(value) > MAX_DIGITS)
    return `an integer of ${digitsOf(value)} digits, and a Decimal128 holds ${MAX_DIGITS}; write it as a string`;
  if (typeof value === 'string' && !value.isWellFormed()) return 'one half of a surrogate pair';
  if (typeof value !== 'object' || value === null) return null;
  const children = isMap(value) ? [...value.values()] : value;
  return children.map(valueProblem).find((problem) => problem !== null) ?? null;
}

/** The value that a tree is, or undefined where some part of it has a type that values do not have. */
export function valueOfTree(tree: Tree): Value | undefined {
  if (tree === null || typeof tree === 'string' || typeof tree === 'boolean') return tree;
  if (typeof tree === 'bigint') return numberOf(tree);
  if (isTreeList(tree)) {
    const items = tree.map(valueOfTree);
    return items.includes(undefined) ? undefined : (items as readonly Value[]);
  }
  if (isTreeMap(tree)) {
    const entries = [...tree].map(([name, child]) => [name, valueOfTree(child)] as const);
    return entries.some(([, child]) => child === undefined) ? undefined : new Map(entries as readonly (readonly [string, Value])[]);
  }
  return valueOfTyped(tree);
}

/** One text for equal values whatever their types: 5 is 5 as int32, int64 and double. What is no value has a text that no value has. */
export function textOfTree(tree: Tree, bson: Bson): string {
  const value = valueOfTree(tree);
  return value === undefined ? `BSON ${bson.EJSON.stringify(tree, { relaxed: false })}` : toJson(value, 'sorted');
}

/** Bytes of the value in a document, or a little more. */
export function sizeOfValue(value: Value): number {
  if (typeof value === 'string') return Buffer.byteLength(value) + 5;
  if (typeof value !== 'object' || value === null) return 16;
  const entries = isMap(value) ? [...value] : value.map((item, index) => [String(index), item] as const);
  return entries.reduce((sum, [name, child]) => sum + Buffer.byteLength(name) + 2 + sizeOfValue(child), 5);
}

/** How many levels of maps and lists are in a value. */
export function depthOfValue(value: Value): number {
  if (typeof value !== 'object' || value === null) return 0;
  const children = isMap(value) ? [...value.values()] : value;
  return 1 + children.reduce<number>((deepest, child) => Math.max(deepest, depthOfValue(child)), 0);
}

function valueOfTyped(typed: Typed): Value | undefined {
  if (typed instanceof Date) return undefined;
  switch (typed._bsontype) {
    case 'Int32':
    case 'Double': {
      const { value } = typed as unknown as { readonly value: number };
      return Number.isFinite(value) ? value : undefined;
    }
    case 'Decimal128':
      return integerOf((typed as unknown as { toString(): string }).toString());
    default:
      return undefined;
  }
}

function integerOf(decimal: string): number | bigint | undefined {
  return /^-?\d+$/.test(decimal) ? numberOf(BigInt(decimal)) : undefined;
}

/** Integers are numbers as far as those are exact, as in every other source of values. */
function numberOf(integer: bigint): number | bigint {
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}

function isInt64(value: bigint): boolean {
  return value >= -MAX_INT64 && value < MAX_INT64;
}

function digitsOf(value: bigint): number {
  return value.toString().replace('-', '').length;
}
