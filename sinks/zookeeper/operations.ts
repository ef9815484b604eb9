import type { AclEntry } from './acl.ts';
import { bytes, flag, int, list, text, type Reader } from './wire.ts';

/** Numbers of the requests that the sink makes, as ZooKeeper's protocol has them. */
export const OP = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getAcl: 6,
  sync: 9,
  ping: 11,
  check: 13,
  multi: 14,
  auth: 100,
  addWatch: 106,
  close: -11,
} as const;

/** Tells one state of a znode's data from every other that it ever has. */
export interface Version {
  /** Transaction that made the znode; one that was deleted and made again has another. */
  readonly czxid: bigint;
  /** Counts the changes of the data since then. */
  readonly version: number;
}

/** What the sink needs of a znode's Stat. */
export interface Stat extends Version {
  readonly dataLength: number;
  readonly children: number;
}

/** One step of a transaction. `version` is the one that the znode must have. */
export type Step =
  | { readonly op: 'create'; readonly path: string; readonly data: Buffer; readonly acl: readonly AclEntry[] }
  | { readonly op: 'setData'; readonly path: string; readonly data: Buffer; readonly version: number }
  | { readonly op: 'delete'; readonly path: string; readonly version: number }
  | { readonly op: 'check'; readonly path: string; readonly version: number };

export function encodePath(path: string): Buffer {
  return text(path);
}

/** A path with no watch to be set. */
export function encodeUnwatched(path: string): Buffer {
  return Buffer.concat([text(path), flag('no')]);
}

/** A watch that stays: of the znode alone, or of all that is below it too. There need not be one yet. */
export function encodeWatch(path: string, reach: 'alone' | 'below'): Buffer {
  return Buffer.concat([text(path), int(reach === 'alone' ? 0 : 1)]);
}

/** Empty where the event is of the session. */
export function decodeEventPath(reader: Reader): string {
  // What happened, and the state of the session.
  reader.int();
  reader.int();
  return reader.text();
}

export function encodeSteps(steps: readonly Step[]): Buffer {
  return Buffer.concat([...steps.flatMap((step) => [int(OP[step.op]), flag('no'), int(-1), encodeStep(step)]), int(-1), flag('yes'), int(-1)]);
}

function encodeStep(step: Step): Buffer {
  switch (step.op) {
    case 'create':
      // The last number makes a znode that stays when the session ends.
      return Buffer.concat([text(step.path), bytes(step.data), encodeAcl(step.acl), int(0)]);
    case 'setData':
      return Buffer.concat([text(step.path), bytes(step.data), int(step.version)]);
    case 'delete':
    case 'check':
      return Buffer.concat([text(step.path), int(step.version)]);
  }
}

/** The version that each step left (none for deletes and checks), or the code of the step that failed: then nothing has changed. */
export type StepsOutcome = { readonly stats: readonly (Version | null)[] } | { readonly failed: number; readonly code: number };

export function decodeSteps(reader: Reader, zxid: bigint): StepsOutcome {
  const stats: (Version | null)[] = [];
  let failure: { readonly failed: number; readonly code: number } | undefined;
  for (let index = 0; ; index++) {
    const type = reader.int();
    const isDone = reader.flag();
    reader.int();
    if (isDone) return failure ?? { stats };
    if (type === -1) {
      const code = reader.int();
      // Steps before the failed one say 0, those after it -2.
      if (code !== 0 && code !== -2) failure ??= { failed: index, code };
    } else if (type === OP.create) {
      reader.text();
      // A create of a transaction is answered with no Stat, and it is known all the same.
      stats.push({ czxid: zxid, version: 0 });
    } else stats.push(type === OP.setData ? decodeStat(reader) : null);
  }
}

export function decodeStat(reader: Reader): Stat {
  const czxid = reader.long();
  // Of the last change, and when both were.
  for (let skipped = 0; skipped < 3; skipped++) reader.long();
  const version = reader.int();
  // Versions of children and ACL, the session of an ephemeral znode.
  reader.int();
  reader.int();
  reader.long();
  const dataLength = reader.int();
  const children = reader.int();
  reader.long();
  return { czxid, version, dataLength, children };
}

function encodeAcl(acl: readonly AclEntry[]): Buffer {
  return list(acl, ({ permissions, scheme, id }) => Buffer.concat([int(permissions), text(scheme), text(id)]));
}

export function decodeAcl(reader: Reader): readonly AclEntry[] {
  return reader.list(() => ({ permissions: reader.int(), scheme: reader.text(), id: reader.text() }));
}
