import { z } from 'zod';
import { leafText } from '../domain/flatten.ts';
import type { RenderedEntry } from '../domain/plan.ts';
import { formatPath } from '../domain/value.ts';
import { createCasSink } from './cas/cas-sink.ts';
import { SinkError } from './errors.ts';
import { documentProblem, renderLeaf, writeDocument } from './leaf-document.ts';
import { defineSink } from './sink.ts';
import { watchable } from './watchable.ts';
import { createClient } from './zookeeper/client.ts';
import { MAX_ZNODE_BYTES, zooKeeperCodec } from './zookeeper/codec.ts';
import { createEnsemble } from './zookeeper/ensemble.ts';
import { readLogin } from './zookeeper/login.ts';
import { newZnodeAcl, systemOf, zooKeeperOptions } from './zookeeper/options.ts';
import { MAX_REQUEST_BYTES, sizeOfReplacement } from './zookeeper/request-size.ts';
import { createStore } from './zookeeper/store.ts';
import { createWatch } from './zookeeper/watch.ts';
import { childName, isReservedKey, pathProblem } from './zookeeper/znode-names.ts';

const destination = z.strictObject({
  layout: z.enum(['tree', 'document']).default('tree').describe('tree: the place is a znode with a child for each key; document: it is one znode, a document'),
  format: z.enum(['json', 'yaml', 'env', 'properties', 'toml']).default('json').describe('Of the document; with layout document'),
});
export type ZooKeeperFields = z.output<typeof destination>;

/** A path is part of every request, so a long one costs room in each step of a transaction. */
const MAX_PATH_BYTES = 255;
const MAX_NAME_BYTES = 1_024;

/** Configuration in ZooKeeper: a znode for each key, or one with a document. A write is one transaction. */
export const zookeeper = defineSink({
  kind: 'zookeeper',
  layouts: {
    tree: { values: 'readable', ownership: 'keys', atomicity: 'place' },
    document: { values: 'readable', ownership: 'place', atomicity: 'place' },
  },
  notifies: true,
  options: zooKeeperOptions,
  destination,
  system: systemOf,
  placeProblem(name, _fields, { chroot = '' }) {
    const bytes = Buffer.byteLength(chroot + name);
    return pathProblem(name) ?? (bytes > MAX_PATH_BYTES ? `has a path of ${bytes} bytes, above the limit of ${MAX_PATH_BYTES}` : null);
  },
  // Of both layouts alike: a znode with a document may not be the root of a tree.
  identity: (name) => name,

  render(entry, { layout, format }): RenderedEntry {
    const key = formatPath(entry.path);
    if (!key.isWellFormed()) throw new SinkError('unsupported', `${key.toWellFormed()} has one half of a surrogate pair`, { key });
    if (layout === 'document') return renderLeaf(entry, format);
    const text = leafText(entry.value);
    if (!text.isWellFormed()) throw new SinkError('unsupported', `the value of ${key} has one half of a surrogate pair`, { key });
    if (key === '') throw new SinkError('unsupported', 'a key without a name cannot be a znode', { key });
    if (isReservedKey(key)) throw new SinkError('unsupported', `the key ${key} ends in .vartrack, which is where ledgers live`, { key });
    if (Buffer.byteLength(childName(key)) > MAX_NAME_BYTES) throw new SinkError('too-large', `the key ${key} is above ${MAX_NAME_BYTES} bytes`, { key });
    if (Buffer.byteLength(text) > MAX_ZNODE_BYTES) throw new SinkError('too-large', `the value of ${key} is above ${MAX_ZNODE_BYTES} bytes`, { key });
    return { ...entry, key, text };
  },

  limitProblem(entries, { layout, format }) {
    const problem = layout === 'document' ? documentProblem(entries, 'znode', format, MAX_ZNODE_BYTES) : null;
    if (problem !== null) return problem;
    const texts = layout === 'document' ? [writeDocument(entries, [], format).toString()] : entries.map(({ text }) => text);
    const bytes = sizeOfReplacement(
      entries.map(({ key }) => key),
      texts,
    );
    if (bytes <= MAX_REQUEST_BYTES) return null;
    return `its ${entries.length} keys need up to ${bytes} bytes in one transaction (values, what an undo needs, ledger), above the limit of ${MAX_REQUEST_BYTES}; make it smaller, or several places`;
  },

  connect: async (options, resolve) => {
    const [name, chroot, open] = [`zookeeper ${systemOf(options)}`, options.chroot ?? '', createEnsemble(options, () => readLogin(options, resolve))];
    const sink = createCasSink(createStore(createClient(open), { chroot, acl: newZnodeAcl(options) }), zooKeeperCodec);
    return watchable(name, sink, createWatch(name, open, chroot));
  },
});
