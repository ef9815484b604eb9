/** Primitives of ZooKeeper's encoding (Jute): big-endian numbers, texts and bytes behind a length, lists behind a count. */

export function int(value: number): Buffer {
  const encoded = Buffer.alloc(4);
  encoded.writeInt32BE(value);
  return encoded;
}

export function long(value: bigint): Buffer {
  const encoded = Buffer.alloc(8);
  encoded.writeBigInt64BE(value);
  return encoded;
}

export function flag(value: 'yes' | 'no'): Buffer {
  return Buffer.from([value === 'yes' ? 1 : 0]);
}

export function bytes(value: Uint8Array): Buffer {
  return Buffer.concat([int(value.length), value]);
}

export function text(value: string): Buffer {
  return bytes(Buffer.from(value));
}

export function list<Entry>(entries: readonly Entry[], encode: (entry: Entry) => Buffer): Buffer {
  return Buffer.concat([int(entries.length), ...entries.map(encode)]);
}

/** Takes one primitive after the other. Throws RangeError where the message ends too early. */
export interface Reader {
  int(): number;
  long(): bigint;
  flag(): boolean;
  bytes(): Buffer;
  text(): string;
  list<Entry>(decode: () => Entry): readonly Entry[];
}

export function createReader(message: Buffer): Reader {
  let offset = 0;
  const advance = (length: number): number => {
    if (offset + length > message.length) throw new RangeError('the message of the server ends too early');
    offset += length;
    return offset - length;
  };
  const reader: Reader = {
    int: () => message.readInt32BE(advance(4)),
    long: () => message.readBigInt64BE(advance(8)),
    flag: () => message.readUInt8(advance(1)) === 1,
    bytes: () => {
      // A null is told by a length of -1; nothing here tells it from an empty one.
      const length = Math.max(0, reader.int());
      const start = advance(length);
      return Buffer.from(message.subarray(start, start + length));
    },
    text: () => reader.bytes().toString('utf8'),
    list: (decode) => Array.from({ length: Math.max(0, reader.int()) }, decode),
  };
  return reader;
}
