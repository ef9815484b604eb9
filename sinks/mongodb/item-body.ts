import { createHash } from 'node:crypto';
import type { Bson, Tree } from './bson-tree.ts';

/** Of the bytes, since strangers raise no revision. */
export function versionOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('base64url');
}

/** The bytes of a ledger or an undo record; none of what is neither text nor binary, which reads as damaged. */
export function bytesOf(tree: Tree | undefined): Buffer {
  if (typeof tree === 'string') return Buffer.from(tree);
  if (typeof tree === 'object' && tree !== null && '_bsontype' in tree && tree._bsontype === 'Binary')
    return Buffer.from((tree as unknown as { value(): Uint8Array }).value());
  return Buffer.alloc(0);
}

/** Text stays text, for people to read; what was compressed is none. */
export function treeOfBytes(body: Buffer, bson: Bson): Tree {
  return body[0] === GZIP ? new bson.Binary(body) : body.toString('utf8');
}

/** The first byte of what gzip makes, and of no text. */
const GZIP = 0x1f;
