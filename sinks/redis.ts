import { z } from 'zod';
import { leafText } from '../domain/flatten.ts';
import type { RenderedEntry } from '../domain/plan.ts';
import { formatPath } from '../domain/value.ts';
import { SinkError } from './errors.ts';
import { jsonText, MAX_DOCUMENT_BYTES } from './redis/json-document.ts';
import { openConnection } from './redis/open-connection.ts';
import { nameOf, redisOptions, systemOf } from './redis/options.ts';
import { hasTag, isReservedEntry, placeNameProblem } from './redis/place-keys.ts';
import { createStore } from './redis/store.ts';
import { createWatch } from './redis/watch.ts';
import { defineSink } from './sink.ts';
import { watchable } from './watchable.ts';

const destination = z.strictObject({
  layout: z
    .enum(['hash', 'keys', 'json'])
    .default('hash')
    .describe('hash: the place is a hash with a field for each key; keys: it is a prefix of one string for each key; json: it is one string, a document'),
});

const MAX_ENTRIES = 100_000;
/** Redis drops a client whose command outgrows `client-query-buffer-limit`, 1 GB unless set. */
const MAX_WRITE_BYTES = 256 * 1024 * 1024;

/** Configuration in Redis: a hash, a key prefix, or a JSON document. Every write is one script. */
export const redis = defineSink({
  kind: 'redis',
  layouts: {
    hash: { values: 'readable', ownership: 'keys', atomicity: 'place' },
    keys: { values: 'readable', ownership: 'keys', atomicity: 'place' },
    json: { values: 'readable', ownership: 'place', atomicity: 'place' },
  },
  notifies: true,
  options: redisOptions,
  destination,
  system: systemOf,
  placeProblem(name, { layout }, { cluster }) {
    const problem = placeNameProblem(name);
    if (problem !== null || layout !== 'keys' || !cluster || hasTag(name)) return problem;
    return 'has no hash tag such as {acme}, without which the keys of a prefix are in many slots of the cluster';
  },
  // Of every layout alike: a hash, a document and a prefix of one name would share a ledger.
  identity: (name) => name,

  render(entry, { layout }): RenderedEntry {
    const key = formatPath(entry.path);
    const text = layout === 'json' ? jsonText(entry.value) : leafText(entry.value);
    if (!key.isWellFormed() || !text.isWellFormed()) throw new SinkError('unsupported', `${key.toWellFormed()} has one half of a surrogate pair`, { key });
    if (layout === 'keys' && isReservedEntry(key)) throw new SinkError('unsupported', `the key ${key} is where the ledger of a prefix lives`, { key });
    if (Buffer.byteLength(text) > MAX_DOCUMENT_BYTES) throw new SinkError('too-large', `the value of ${key} is above ${MAX_DOCUMENT_BYTES} bytes`, { key });
    return { ...entry, key, text };
  },

  limitProblem(entries, { layout }) {
    if (entries.length > MAX_ENTRIES) return `it has ${entries.length} keys, above the limit of ${MAX_ENTRIES} for one place`;
    const bytes = entries.reduce((sum, entry) => sum + Buffer.byteLength(entry.key) + Buffer.byteLength(entry.text), 0);
    const limit = layout === 'json' ? MAX_DOCUMENT_BYTES : MAX_WRITE_BYTES;
    return bytes > limit ? `it has ${bytes} bytes, above the limit of ${limit} for one place` : null;
  },

  connect: async (options, resolve) => {
    const [name, opened] = [nameOf(options), openConnection(options, resolve)];
    return watchable(name, createStore(name, opened.connection), createWatch(name, opened));
  },
});
