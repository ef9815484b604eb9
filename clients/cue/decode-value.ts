import type { Scalar, Value } from '../../domain/value.ts';
import type { EngineValue } from './engine-protocol.ts';

/** Reads a value of the engine; see {@link EngineValue} for how it is written down. Throws RangeError for a number that is none here. */
export function decodeValue(encoded: EngineValue): Value {
  if (typeof encoded === 'number' && !Number.isFinite(encoded)) throw new RangeError('a number is out of range');
  if (encoded === null || typeof encoded !== 'object') return encoded;
  if ('int' in encoded) return BigInt(encoded.int);
  const [kind, ...rest] = encoded;
  if (kind === 0) return rest.map(decodeValue);
  const entries = new Map<string, Value>();
  for (let i = 0; i + 1 < rest.length; i += 2) entries.set(rest[i] as string, decodeValue(rest[i + 1] as Exclude<Scalar, bigint>));
  return entries;
}
