import type { CasCodec } from '../cas/codec.ts';
import { decodeText } from '../cas/decode-text.ts';
import type { ConsulFields } from '../consul.ts';
import { readDocument, writeDocument } from '../leaf-document.ts';
import { entryName, placeNames } from './place-names.ts';

/** `kv_max_value_size` as it is set by default. */
export const MAX_VALUE_BYTES = 512 * 1024;
/** Ledgers of places that people may want to look at stay readable. */
const COMPRESS_ABOVE_BYTES = 64 * 1024;

/** A place as keys of Consul: one for each sink key, or one with a document. Flags that a key has stay. */
export const consulCodec: CasCodec<ConsulFields> = {
  kind: 'consul',
  item: 'key',
  own: { maxBytes: MAX_VALUE_BYTES, compressAbove: COMPRESS_ABOVE_BYTES, attributes: {} },
  layout: ({ name, layout, fields }) => {
    const own = { ...placeNames(name), maxBytes: MAX_VALUE_BYTES };
    if (layout === 'keys') {
      return {
        ...own,
        shape: 'keys',
        nameOf: (key) => name + entryName(key, fields.separator),
        encode: ({ text }, live) => ({ body: Buffer.from(text), attributes: live?.attributes ?? {} }),
        decode: ({ body }) => decodeText(body),
      };
    }
    return {
      ...own,
      shape: 'document',
      name,
      encode: (entries, kept, live) => ({ body: writeDocument(entries, kept, fields.format), attributes: live?.attributes ?? {} }),
      decode: ({ body }) => readDocument(body, 'key', fields.format, MAX_VALUE_BYTES),
    };
  },
};
