import { z } from 'zod';
import { leafText } from '../domain/flatten.ts';
import type { RenderedEntry } from '../domain/plan.ts';
import { formatPath } from '../domain/value.ts';
import { createCasSink } from './cas/cas-sink.ts';
import { SinkError } from './errors.ts';
import { documentProblem, renderLeaf } from './leaf-document.ts';
import { MAX_DOCUMENT_BYTES, s3Codec } from './s3/codec.ts';
import { createObjectStore } from './s3/object-store.ts';
import { createObjects } from './s3/objects.ts';
import { clientConfig, s3Options, systemOf } from './s3/options.ts';
import { entryName, isReserved, MAX_ENTRY_NAME_BYTES, placeNameProblem } from './s3/place-names.ts';
import { defineSink } from './sink.ts';

const destination = z.strictObject({
  layout: z.enum(['object', 'keys']).default('object').describe('object: the place is one object, a document; keys: it is a prefix of one object for each key'),
  format: z.enum(['json', 'yaml', 'env', 'properties', 'toml']).default('json').describe('Of the document; with layout object'),
  cacheControl: z.string().min(1).optional().describe('Cache-Control of what is written; if absent, what the object has stays'),
  storageClass: z
    .string()
    .regex(/^[A-Z_]+$/, 'a storage class such as STANDARD_IA')
    .optional(),
  tags: z
    .record(z.string().min(1).max(128), z.string().max(256))
    .refine((tags) => Object.keys(tags).length <= 10, { error: 'an object takes 10 tags' })
    .optional()
    .describe('Tags of what is written; if absent, those that the object has stay'),
});
export type S3Fields = z.output<typeof destination>;

/** Each entry of `keys` costs a request to read and one to write. */
const MAX_ENTRIES = 10_000;
/** All of a write's former values are one undo record. */
const MAX_KEYS_BYTES = 64 * 1024 * 1024;

/** Configuration in S3 and what speaks its protocol: one document, or an object for each key. Every write is conditional. */
export const s3 = defineSink({
  kind: 's3',
  layouts: {
    object: { values: 'readable', ownership: 'place', atomicity: 'place' },
    keys: { values: 'readable', ownership: 'keys', atomicity: 'key' },
  },
  notifies: false,
  options: s3Options,
  destination,
  system: systemOf,
  placeProblem: (name, { layout }) => placeNameProblem(name, layout),
  identity: (name) => name,

  render(entry, { layout, format }): RenderedEntry {
    const key = formatPath(entry.path);
    if (!key.isWellFormed()) throw new SinkError('unsupported', `${key.toWellFormed()} has one half of a surrogate pair`, { key });
    if (layout === 'object') return renderLeaf(entry, format);
    const text = leafText(entry.value);
    if (!text.isWellFormed()) throw new SinkError('unsupported', `the value of ${key} has one half of a surrogate pair`, { key });
    const name = entryName(key);
    if (isReserved(name)) throw new SinkError('unsupported', `the key ${key} ends in .vartrack.json, which is where ledgers live`, { key });
    if (Buffer.byteLength(name) > MAX_ENTRY_NAME_BYTES) throw new SinkError('too-large', `the key ${key} is above ${MAX_ENTRY_NAME_BYTES} bytes`, { key });
    if (Buffer.byteLength(text) > MAX_DOCUMENT_BYTES) throw new SinkError('too-large', `the value of ${key} is above ${MAX_DOCUMENT_BYTES} bytes`, { key });
    return { ...entry, key, text };
  },

  limitProblem(entries, { layout, format }) {
    if (layout === 'keys') {
      if (entries.length > MAX_ENTRIES) return `it has ${entries.length} keys, above the limit of ${MAX_ENTRIES} for one prefix; use layout: object`;
      const bytes = entries.reduce((sum, entry) => sum + Buffer.byteLength(entry.text), 0);
      return bytes > MAX_KEYS_BYTES ? `it has ${bytes} bytes, above the limit of ${MAX_KEYS_BYTES} for one prefix` : null;
    }
    return documentProblem(entries, 'object', format, MAX_DOCUMENT_BYTES);
  },

  connect: async (options, resolve) => createCasSink(createObjectStore(createObjects(options, () => clientConfig(options, resolve))), s3Codec),
});
