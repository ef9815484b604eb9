import { z } from 'zod';
import { unflatten } from '../domain/flatten.ts';
import type { RenderedEntry } from '../domain/plan.ts';
import { InvalidInput } from '../domain/problem.ts';
import { formatPath, toJson } from '../domain/value.ts';
import { SinkError } from './errors.ts';
import { depthOfValue, sizeOfValue, valueProblem } from './mongodb/bson-value.ts';
import { createDocuments } from './mongodb/documents.ts';
import { nameProblem } from './mongodb/field-names.ts';
import { createMongodbSink } from './mongodb/mongodb-sink.ts';
import { clientOptions, mongodbOptions, systemOf } from './mongodb/options.ts';
import { LEDGER_ID, MAX_ID_BYTES, placeNameProblem, UNDO_ID } from './mongodb/place-names.ts';
import { defineSink } from './sink.ts';

const destination = z.strictObject({
  layout: z
    .enum(['document', 'keys'])
    .default('document')
    .describe('document: the place is one document; keys: it is a collection with a document for each key'),
  names: z
    .enum(['any', 'plain'])
    .default('any')
    .describe('plain: names of fields have no . " \\ and no $ in front; FerretDB and MongoDB before 5.0 do not take all of those'),
});
export type MongodbFields = z.output<typeof destination>;

const MAX_ENTRIES = 20_000;
/** A document holds its ledger and its former self beside the content. */
const MAX_CONTENT_BYTES = 6 * 1024 * 1024;
/** All of a write's former values are one undo record, in base64. */
const MAX_KEYS_BYTES = 10 * 1024 * 1024;
/** The server takes 100. */
const MAX_DEPTH = 90;

/** Configuration in MongoDB and what speaks its protocol: one document, or a document for each key. Every write is conditional. */
export const mongodb = defineSink({
  kind: 'mongodb',
  layouts: {
    document: { values: 'readable', ownership: 'place', atomicity: 'place' },
    keys: { values: 'readable', ownership: 'keys', atomicity: 'key' },
  },
  notifies: false,
  options: mongodbOptions,
  destination,
  system: systemOf,
  placeProblem: (name, { layout }) => placeNameProblem(name, layout),
  identity: (name) => name,

  render(entry, fields): RenderedEntry {
    const key = formatPath(entry.path);
    if (!key.isWellFormed()) throw new SinkError('unsupported', `${key.toWellFormed()} has one half of a surrogate pair`, { key });
    const problem = nameProblem(entry, fields) ?? valueProblem(entry.value);
    if (problem !== null) throw new SinkError('unsupported', `${key} has ${problem}`, { key });
    if (entry.path.length + depthOfValue(entry.value) > MAX_DEPTH)
      throw new SinkError('unsupported', `${key} is nested deeper than ${MAX_DEPTH} levels`, { key });
    if (fields.layout === 'keys') {
      if (key === LEDGER_ID || key === UNDO_ID) throw new SinkError('unsupported', `the key ${key} is where the ledger of a collection lives`, { key });
      if (Buffer.byteLength(key) > MAX_ID_BYTES) throw new SinkError('too-large', `the key ${key} is above ${MAX_ID_BYTES} bytes`, { key });
    }
    const limit = fields.layout === 'keys' ? MAX_KEYS_BYTES : MAX_CONTENT_BYTES;
    if (sizeOfValue(entry.value) > limit) throw new SinkError('too-large', `the value of ${key} is above ${limit} bytes`, { key });
    return { ...entry, key, text: toJson(entry.value, 'sorted') };
  },

  limitProblem(entries, { layout }) {
    if (entries.length > MAX_ENTRIES) return `it has ${entries.length} keys, above the limit of ${MAX_ENTRIES} for one place`;
    if (layout === 'keys') {
      const bytes = entries.reduce((sum, entry) => sum + sizeOfValue(entry.value) + Buffer.byteLength(entry.key) + ENTRY_OVERHEAD_BYTES, 0);
      return bytes > MAX_KEYS_BYTES ? `it has ${bytes} bytes, above the limit of ${MAX_KEYS_BYTES} for one collection` : null;
    }
    try {
      const bytes = sizeOfValue(unflatten(entries));
      return bytes > MAX_CONTENT_BYTES ? `the document would have ${bytes} bytes, above the limit of ${MAX_CONTENT_BYTES} (16 MiB with its former self)` : null;
    } catch (error) {
      if (error instanceof InvalidInput) return error.message;
      throw error;
    }
  },

  async connect(options, resolve) {
    const driver = await import('mongodb');
    return createMongodbSink(
      createDocuments(driver, options, () => clientOptions(options, resolve)),
      driver.BSON,
    );
  },
});

/** Of a change in an undo record. */
const ENTRY_OVERHEAD_BYTES = 200;
