import type { BSON } from 'mongodb';

/** The driver's own library, which is loaded when a sink connects. */
export type Bson = typeof BSON;

/** A BSON value with its exact type. Maps keep the order of the document, which a JavaScript object does not where names are numbers. */
export type Tree = null | boolean | string | bigint | Typed | readonly Tree[] | TreeMap;
export type TreeMap = ReadonlyMap<string, Tree>;

/** What has no type of its own in JavaScript: a class of the library, or a Date. */
export type Typed = { readonly _bsontype: string } | Date;

export function isTreeMap(tree: Tree): tree is TreeMap {
  return tree instanceof Map;
}

export function isTreeList(tree: Tree): tree is readonly Tree[] {
  return Array.isArray(tree);
}

/** Why a document cannot be written back as it is. */
export class UnknownBson extends Error {}

const ELEMENT = { double: 0x01, string: 0x02, document: 0x03, array: 0x04, boolean: 0x08, nothing: 0x0a, int32: 0x10, int64: 0x12 } as const;
/** Bytes of the value by type; the others say it themselves. */
const FIXED: Readonly<Record<number, number>> = { 0x07: 12, 0x09: 8, 0x11: 8, 0x13: 16, 0xff: 0, 0x7f: 0 };
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads a document. Throws {@link UnknownBson} for what the library would not give back as it was. */
export function decodeTree(bytes: Buffer, bson: Bson): TreeMap {
  const tree = new Map<string, Tree>();
  for (const [name, value] of elementsOf(bytes, bson)) {
    if (tree.has(name)) throw new UnknownBson('has a field twice');
    tree.set(name, value);
  }
  return tree;
}

export function encodeTree(tree: TreeMap, bson: Bson): Buffer {
  return Buffer.from(bson.serialize(tree));
}

function* elementsOf(bytes: Buffer, bson: Bson): Generator<readonly [string, Tree]> {
  const end = bytes.readInt32LE(0) - 1;
  for (let at = 4; at < end;) {
    const type = bytes.readUInt8(at);
    const nameEnd = bytes.indexOf(0, at + 1);
    const name = textOf(bytes.subarray(at + 1, nameEnd));
    const start = nameEnd + 1;
    const length = lengthOf(type, bytes, start);
    const value = bytes.subarray(start, start + length);
    yield [name, treeOf(type, value, bson)];
    at = start + length;
  }
}

function lengthOf(type: number, bytes: Buffer, at: number): number {
  switch (type) {
    case ELEMENT.double:
    case ELEMENT.int64:
      return 8;
    case ELEMENT.int32:
      return 4;
    case ELEMENT.boolean:
      return 1;
    case ELEMENT.nothing:
      return 0;
    case ELEMENT.document:
    case ELEMENT.array:
    case 0x0f: // code with scope
      return bytes.readInt32LE(at);
    case ELEMENT.string:
    case 0x0d: // code
    case 0x0e: // symbol
      return 4 + bytes.readInt32LE(at);
    case 0x05: // binary
      return 5 + bytes.readInt32LE(at);
    case 0x0b: // regular expression: two texts
      return bytes.indexOf(0, bytes.indexOf(0, at) + 1) + 1 - at;
    default: {
      const length = FIXED[type];
      if (length === undefined) throw new UnknownBson(`has a value of the deprecated type ${type}`);
      return length;
    }
  }
}

function treeOf(type: number, value: Buffer, bson: Bson): Tree {
  switch (type) {
    case ELEMENT.double:
      return new bson.Double(value.readDoubleLE());
    case ELEMENT.string:
      return textOf(value.subarray(4, -1));
    case ELEMENT.document:
      return decodeTree(value, bson);
    case ELEMENT.array:
      return [...elementsOf(value, bson)].map(([, item]) => item);
    case ELEMENT.boolean:
      return value[0] === 1;
    case ELEMENT.nothing:
      return null;
    case ELEMENT.int32:
      return new bson.Int32(value.readInt32LE());
    case ELEMENT.int64:
      return value.readBigInt64LE();
    default: {
      const head = Buffer.alloc(7);
      head.writeInt32LE(head.length + value.length + 1);
      head.writeUInt8(type, 4);
      head.write('v', 5);
      const alone = Buffer.concat([head, value, Buffer.alloc(1)]);
      return bson.deserialize(alone, { promoteValues: false, promoteBuffers: false, bsonRegExp: true })['v'] as Typed;
    }
  }
}

function textOf(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new UnknownBson('has a text that is not UTF-8');
  }
}
