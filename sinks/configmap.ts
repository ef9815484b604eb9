import { z } from 'zod';
import { leafText } from '../domain/flatten.ts';
import type { RenderedEntry } from '../domain/plan.ts';
import { formatPath } from '../domain/value.ts';
import { createAccess } from './kubernetes/access.ts';
import { createApiServer } from './kubernetes/api-server.ts';
import { createConfigMaps } from './configmap/config-maps.ts';
import { MAX_DATA_BYTES } from './configmap/content.ts';
import { configmapOptions, type ConfigmapOptions } from './configmap/options.ts';
import { isDataKey, placeNameProblem } from './configmap/place-names.ts';
import { createStore } from './configmap/store.ts';
import { MAX_ANNOTATION_BYTES } from './configmap/writer.ts';
import { SinkError } from './errors.ts';
import { documentProblem, renderLeaf } from './leaf-document.ts';
import { clusterOf } from './kubernetes/access-options.ts';
import { defineSink } from './sink.ts';

const destination = z.strictObject({
  layout: z
    .enum(['keys', 'file'])
    .default('keys')
    .describe('keys: the place is namespace/name, with a data key for each key; file: it is namespace/name/file, with a document in that data key'),
  format: z.enum(['yaml', 'json', 'env', 'properties', 'toml', 'ini']).default('yaml').describe('Of the document; with layout file'),
  rollout: z
    .array(z.string().regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'the name of a Deployment'))
    .max(20)
    .default([])
    .describe('Deployments of the namespace whose pods are replaced when a value changed'),
});
export type ConfigmapFields = z.output<typeof destination>;

/** What stands in a ledger beside its keys. */
const LEDGER_HEAD_BYTES = 2048;
const FINGERPRINT_BYTES = 22 + '"":"",'.length;

/** Configuration in ConfigMaps of Kubernetes: a data key for each key, or a document in one data key. Every write is one conditional patch. */
export const configmap = defineSink<ConfigmapOptions, ConfigmapFields>({
  kind: 'configmap',
  layouts: {
    keys: { values: 'readable', ownership: 'keys', atomicity: 'place' },
    file: { values: 'readable', ownership: 'place', atomicity: 'place' },
  },
  notifies: true,
  options: configmapOptions,
  destination,
  system: clusterOf,
  placeProblem: (name, { layout }) => placeNameProblem(name, layout),
  identity: (name) => name,

  render(entry, { layout, format }): RenderedEntry {
    const key = formatPath(entry.path);
    if (!key.isWellFormed()) throw new SinkError('unsupported', `${key.toWellFormed()} has one half of a surrogate pair`, { key });
    if (layout === 'file') return renderLeaf(entry, format);
    if (!isDataKey(key)) {
      const what = `the key ${key} is no data key of a ConfigMap: letters, digits, - . and _, at most 253; rename it, or use layout: file`;
      throw new SinkError('unsupported', what, { key });
    }
    const text = leafText(entry.value);
    if (!text.isWellFormed()) throw new SinkError('unsupported', `the value of ${key} has one half of a surrogate pair`, { key });
    if (Buffer.byteLength(text) > MAX_DATA_BYTES) throw new SinkError('too-large', `the value of ${key} is above ${MAX_DATA_BYTES} bytes`, { key });
    return { ...entry, key, text };
  },

  limitProblem(entries, { layout, format }) {
    const ledger = entries.reduce((sum, { key }) => sum + Buffer.byteLength(key) + FINGERPRINT_BYTES, LEDGER_HEAD_BYTES);
    if (ledger > MAX_ANNOTATION_BYTES)
      return `it has ${entries.length} keys, whose ledger has ${ledger} bytes, above the limit of ${MAX_ANNOTATION_BYTES} for annotations; split it into several ConfigMaps`;
    if (layout === 'file') return documentProblem(entries, 'document', format, MAX_DATA_BYTES);
    const bytes = entries.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
    return bytes > MAX_DATA_BYTES ? `it has ${bytes} bytes, above the limit of ${MAX_DATA_BYTES} for one ConfigMap; split it into several` : null;
  },

  connect: async (options, resolve) => createStore(createConfigMaps(createApiServer(options, createAccess(options, resolve)))),
});
