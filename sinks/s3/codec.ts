import type { Item } from '../cas/cas-store.ts';
import type { CasCodec } from '../cas/codec.ts';
import { decodeText } from '../cas/decode-text.ts';
import { contentTypeOf, readDocument, writeDocument } from '../leaf-document.ts';
import type { S3Fields } from '../s3.ts';
import type { Attributes } from './objects.ts';
import { entryName, placeNames } from './place-names.ts';

export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;
/** Ledgers and undo records; these are ours, so that a larger one is a mistake. */
const MAX_OWN_BYTES = 256 * 1024 * 1024;

/** A place as objects: one document, or one for each key. */
export const s3Codec: CasCodec<S3Fields> = {
  kind: 's3',
  item: 'object',
  own: { maxBytes: MAX_OWN_BYTES, attributes: { ContentType: 'application/json' } },
  layout: ({ name: place, layout, fields }) => {
    const { name, ledger, undo } = placeNames(place);
    const own = { ledger, undo, maxBytes: MAX_DOCUMENT_BYTES };
    if (layout === 'keys') {
      return {
        ...own,
        shape: 'keys',
        nameOf: (key) => name + entryName(key),
        encode: ({ text }, live) => ({ body: Buffer.from(text), attributes: attributesFor(fields, 'text/plain; charset=utf-8', live) }),
        decode: ({ body }) => decodeText(body),
      };
    }
    return {
      ...own,
      shape: 'document',
      name,
      encode: (entries, kept, live) => {
        return { body: writeDocument(entries, kept, fields.format), attributes: attributesFor(fields, contentTypeOf(fields.format), live) };
      },
      decode: ({ body }) => readDocument(body, 'object', fields.format, MAX_DOCUMENT_BYTES),
    };
  },
};

/** What belongs to an object beside its content stays as people set it, where the destination says nothing. */
function attributesFor(fields: S3Fields, contentType: string, live: Item | null): Item['attributes'] {
  const { ContentType: former = '', ContentEncoding: _, ...kept } = (live?.attributes ?? {}) as Attributes;
  const tags = fields.tags && Object.entries(fields.tags).map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return {
    ...kept,
    // These are what servers call an object whose type nobody gave.
    ContentType: /^($|(binary|application)\/octet-stream$)/.test(former) ? contentType : former,
    ...(fields.cacheControl === undefined ? {} : { CacheControl: fields.cacheControl }),
    ...(fields.storageClass === undefined ? {} : { StorageClass: fields.storageClass }),
    ...(tags === undefined ? {} : { Tagging: tags.join('&') }),
  };
}
