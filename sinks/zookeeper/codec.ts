import type { ZooKeeperFields } from '../zookeeper.ts';
import type { CasCodec } from '../cas/codec.ts';
import { readDocument, writeDocument } from '../leaf-document.ts';
import { MAX_REQUEST_BYTES } from './request-size.ts';
import { childName, ledgerPath, undoPath } from './znode-names.ts';

/** What a server takes as the data of a znode, unless it is set otherwise; strangers may have written that much. */
export const MAX_ZNODE_BYTES = 1_048_575;

/** Items are named by their paths, without the chroot. ACLs are the attributes: a znode that is there keeps its own, and one that an undo makes again gets back what it had. */
export const zooKeeperCodec: CasCodec<ZooKeeperFields> = {
  kind: 'zookeeper',
  item: 'znode',
  // The rest of a request is for its path and its ACL.
  own: { maxBytes: MAX_REQUEST_BYTES - 10_000, compressAbove: 100_000, attributes: {} },
  layout: (place) => {
    const own = { ledger: ledgerPath(place), undo: undoPath(place), maxBytes: MAX_ZNODE_BYTES };
    const { format } = place.fields;
    if (place.layout === 'tree')
      return {
        shape: 'keys',
        ...own,
        nameOf: (key) => `${place.name}/${childName(key)}`,
        encode: (entry, live) => ({ body: Buffer.from(entry.text), attributes: live?.attributes ?? {} }),
        decode: (item) => textOf(item.body),
      };
    return {
      shape: 'document',
      ...own,
      name: place.name,
      encode: (entries, kept, live) => ({ body: writeDocument(entries, kept, format), attributes: live?.attributes ?? {} }),
      decode: (item) => readDocument(item.body, 'znode', format, MAX_ZNODE_BYTES),
    };
  },
};

/** Null for what is not text: it is there, and we cannot compare it. */
function textOf(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
