import { z } from 'zod';
import { leafText } from '../domain/flatten.ts';
import type { RenderedEntry } from '../domain/plan.ts';
import { formatPath } from '../domain/value.ts';
import { createCasSink } from './cas/cas-sink.ts';
import { createConsulClient } from './consul/client.ts';
import { consulCodec, MAX_VALUE_BYTES } from './consul/codec.ts';
import { consulOptions, systemOf } from './consul/options.ts';
import { entryName, isReserved, MAX_ENTRY_NAME_BYTES, placeNameProblem } from './consul/place-names.ts';
import { createConsulStore } from './consul/store.ts';
import { createWatch } from './consul/watch.ts';
import { SinkError } from './errors.ts';
import { documentProblem, renderLeaf } from './leaf-document.ts';
import { defineSink } from './sink.ts';
import { watchable } from './watchable.ts';

const destination = z.strictObject({
  layout: z.enum(['keys', 'document']).default('keys').describe('keys: the place is a prefix of one key for each value; document: it is one key'),
  separator: z.enum(['.', '/']).default('.').describe('With layout keys: redis.port or redis/port for a value below redis'),
  format: z.enum(['json', 'yaml', 'env', 'properties', 'toml']).default('json').describe('Of the document; with layout document'),
});
export type ConsulFields = z.output<typeof destination>;

const MAX_ENTRIES = 5_000;
/** All former values of a place are one undo record, which is one value of Consul. */
const MAX_KEYS_BYTES = 448 * 1024;

/** Configuration in the key-value store of Consul: a key for each value, or one document. A write is one transaction as long as one takes it. */
export const consul = defineSink({
  kind: 'consul',
  layouts: {
    keys: { values: 'readable', ownership: 'keys', atomicity: 'key' },
    document: { values: 'readable', ownership: 'place', atomicity: 'place' },
  },
  notifies: true,
  options: consulOptions,
  destination,
  system: systemOf,
  placeProblem: (name, { layout }) => placeNameProblem(name, layout),
  identity: (name) => name,
  // With `/` a key can be a folder further down; other separators leave the names below a prefix without one.
  reachesBelow: ({ layout, separator }) => layout === 'keys' && separator === '/',

  render(entry, { layout, format, separator }): RenderedEntry {
    const key = formatPath(entry.path);
    if (!key.isWellFormed()) throw new SinkError('unsupported', `${key.toWellFormed()} has one half of a surrogate pair`, { key });
    if (layout === 'document') return renderLeaf(entry, format);
    const text = leafText(entry.value);
    if (!text.isWellFormed()) throw new SinkError('unsupported', `the value of ${key} has one half of a surrogate pair`, { key });
    const name = entryName(key, separator);
    if (isReserved(name)) throw new SinkError('unsupported', `the key ${key} ends in .vartrack, which is where ledgers live`, { key });
    if (Buffer.byteLength(name) > MAX_ENTRY_NAME_BYTES) throw new SinkError('too-large', `the key ${key} is above ${MAX_ENTRY_NAME_BYTES} bytes`, { key });
    if (Buffer.byteLength(text) > MAX_KEYS_BYTES) throw new SinkError('too-large', `the value of ${key} is above ${MAX_KEYS_BYTES} bytes`, { key });
    return { ...entry, key, text };
  },

  limitProblem(entries, { layout, format }) {
    if (layout === 'document') return documentProblem(entries, 'document', format, MAX_VALUE_BYTES);
    if (entries.length > MAX_ENTRIES)
      return `it has ${entries.length} keys, above the limit of ${MAX_ENTRIES} for one prefix; use layout: document, or split it`;
    const bytes = entries.reduce((sum, { key, text }) => sum + Buffer.byteLength(key) + Buffer.byteLength(text), 0);
    return bytes > MAX_KEYS_BYTES ? `its keys and values have ${bytes} bytes, above the limit of ${MAX_KEYS_BYTES} for one prefix; split it` : null;
  },

  connect: async (options, resolve) => {
    const watch = createWatch((maxSockets) => createConsulClient(options, resolve, maxSockets));
    return watchable(`consul ${systemOf(options)}`, createCasSink(createConsulStore(createConsulClient(options, resolve)), consulCodec), watch);
  },
});
