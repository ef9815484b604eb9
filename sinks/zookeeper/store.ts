import type { CasStore, Item, ItemChange } from '../cas/cas-store.ts';
import { SinkError } from '../errors.ts';
import type { Place } from '../sink.ts';
import { formatAcl, parseAcl, unmasked, writersOf, type AclEntry } from './acl.ts';
import type { ZooKeeper } from './client.ts';
import type { Step, Version } from './operations.ts';
import { MAX_REQUEST_BYTES, sizeOfSteps } from './request-size.ts';
import { baseOf, isOwn, isUndo, ledgerPath, pathsTo } from './znode-names.ts';
import { CODE, ServerRefusal, zooKeeperError } from './zookeeper-error.ts';

export interface StoreSettings {
  readonly chroot: string;
  /** Of znodes that are made. */
  readonly acl: readonly AclEntry[];
}

const MAX_ROUNDS = 5;

/** Znodes, named by their paths below the chroot. Every write is a transaction, conditional on the versions that were read. */
export function createStore(client: ZooKeeper, { chroot, acl }: StoreSettings): CasStore {
  async function get(place: Place, names: readonly string[], maxBytes: number, signal: AbortSignal): Promise<readonly (Item | null)[]> {
    const asked = names.map((name) => ({ path: chroot + name, parts: isOwn(name) ? 'data' : 'data and acl' }) as const);
    const found = await client.read(labelOf(place), asked, signal);
    return found.map((znode, index): Item | null => {
      if (znode === null) return null;
      const { data, stat } = znode;
      if (data.length > maxBytes)
        throw new SinkError('too-large', `${labelOf(place)}: ${names[index]} has ${data.length} bytes, above the limit of ${maxBytes}`);
      const attributes = znode.acl.length === 0 ? {} : { acl: formatAcl(unmasked(znode.acl, acl) ?? znode.acl) };
      return { body: data, version: versionOf(stat), attributes };
    });
  }

  /** Requests of one connection are answered in their order, so that the first znode is asked for once more at the end. */
  async function getSteady(place: Place, names: readonly string[], signal: AbortSignal) {
    const [first = ''] = names;
    const asked = [...names, first].map((name) => ({ path: chroot + name, parts: 'data' }) as const);
    const found = await client.read(labelOf(place), asked, signal);
    const items = found.map((znode): Item | null => znode && { body: znode.data, version: versionOf(znode.stat), attributes: {} });
    return { items: items.slice(0, -1), isSteady: items[0]?.version === items.at(-1)?.version };
  }

  function stepsOf(change: ItemChange): readonly Step[] {
    const path = chroot + change.name;
    switch (change.action) {
      case 'put': {
        if (change.expected !== null) return [{ op: 'setData', path, data: change.body, version: numberOf(change.expected) }];
        const own = isUndo(path) ? writersOf(acl) : acl;
        return [{ op: 'create', path, data: change.body, acl: parseAcl(change.attributes['acl']) ?? own }];
      }
      case 'delete':
        return [{ op: 'delete', path, version: numberOf(change.expected) }];
      case 'check':
        if (change.expected !== null) return [{ op: 'check', path, version: numberOf(change.expected) }];
        // There is no step that fails where a znode is; making one does.
        return [
          { op: 'create', path, data: Buffer.alloc(0), acl },
          { op: 'delete', path, version: 0 },
        ];
    }
  }

  /** Znodes above the place that are not there yet. */
  async function missingAbove(place: Place, changes: readonly ItemChange[], signal: AbortSignal): Promise<readonly Step[]> {
    if (!changes.some(({ action, expected }) => action !== 'delete' && expected === null)) return [];
    const paths = pathsTo(chroot + baseOf(place));
    const stats = await client.stat(labelOf(place), paths, signal);
    return paths.filter((_, index) => stats[index] === null).map((path) => ({ op: 'create', path, data: Buffer.alloc(0), acl }));
  }

  async function commit(place: Place, changes: readonly ItemChange[], signal: AbortSignal): Promise<readonly (string | null)[]> {
    await refuseHiddenAcls(place, changes, signal);
    const ordered = changes.map((change, index) => ({ change, index, steps: stepsOf(change) })).toSorted((a, b) => rankOf(a.change) - rankOf(b.change));
    for (let round = 1; ; round++) {
      const above = await missingAbove(place, changes, signal);
      const steps = [...above, ...ordered.flatMap((each) => each.steps)];
      const size = sizeOfSteps(steps);
      if (size > MAX_REQUEST_BYTES)
        throw new SinkError('too-large', `${labelOf(place)}: the write has ${size} bytes with its undo record, above the limit of ${MAX_REQUEST_BYTES}`);
      const outcome = await client.transact(labelOf(place), steps, signal);
      if ('stats' in outcome) {
        const made = outcome.stats.slice(above.length);
        const versions: (string | null)[] = changes.map(() => null);
        for (const { change, index, steps: own } of ordered) {
          const [stat = null] = made.splice(0, own.length);
          versions[index] = change.action === 'put' && stat ? versionOf(stat) : change.action === 'check' ? change.expected : null;
        }
        await removeAbove(place, changes, signal);
        return versions;
      }
      const { failed, code } = outcome;
      // What is above the place was made, or removed, by somebody else at the same time; that is nobody's conflict.
      if (failed < above.length && (code === CODE.nodeExists || code === CODE.noNode) && round < MAX_ROUNDS) continue;
      throw refusal(place, steps[failed]?.path ?? '', code);
    }
  }

  /** What is deleted has to come back with its ACL, so that of a znode to be deleted must be known. */
  async function refuseHiddenAcls(place: Place, changes: readonly ItemChange[], signal: AbortSignal): Promise<void> {
    const names = changes.filter(({ action, name }) => action === 'delete' && !isOwn(name)).map(({ name }) => name);
    if (names.length === 0) return;
    const found = await client.read(
      labelOf(place),
      names.map((name) => ({ path: chroot + name, parts: 'data and acl' })),
      signal,
    );
    const hidden = names.find((_, index) => unmasked(found[index]?.acl ?? [], acl) === null);
    if (hidden === undefined) return;
    const message = 'its ACL has hashes that only who has the permission a may see, so an undo could not bring it back; docs/sinks/zookeeper.md has the ACL';
    throw new SinkError('unauthorized', `${labelOf(place)}: ${hidden} cannot be deleted, since ${message}`);
  }

  /**
   * With the ledger, the znodes above go that were made for it: their transaction is the ledger's. Empty ones only, and nothing depends on it, so
   * whatever refuses it ends it.
   */
  async function removeAbove(place: Place, changes: readonly ItemChange[], signal: AbortSignal): Promise<void> {
    const ledger = changes.find(({ action, name }) => action === 'delete' && name === ledgerPath(place));
    const madeBy = ledger?.expected?.split('-')[0];
    if (madeBy === undefined) return;
    try {
      const paths = pathsTo(chroot + baseOf(place));
      const stats = await client.stat(labelOf(place), paths, signal);
      for (let index = paths.length - 1; index >= 0; index--) {
        const stat = stats[index];
        if (stat?.czxid.toString() !== madeBy || stat.version > 0 || stat.dataLength > 0) return;
        const outcome = await client.transact(labelOf(place), [{ op: 'delete', path: paths[index] ?? '', version: 0 }], signal);
        if ('failed' in outcome) return;
      }
    } catch (error) {
      if (!(error instanceof SinkError)) throw error;
    }
  }

  function refusal(place: Place, path: string, code: number): SinkError {
    return zooKeeperError(`${labelOf(place)}: ${path.slice(chroot.length)}`, new ServerRefusal(code));
  }

  return {
    get,
    getSteady,
    version: async (place, name, signal) => {
      const [stat = null] = await client.stat(labelOf(place), [chroot + name], signal);
      return stat && versionOf(stat);
    },
    write: async (place, changes, signal) => {
      const versions: (string | null)[] = [];
      for (const part of partsOf(changes, (change) => sizeOfSteps(stepsOf(change)))) versions.push(...(await commit(place, part, signal)));
      return versions;
    },
    transaction: {
      fits: (changes) => sizeOfSteps(changes.flatMap(stepsOf)) <= PART_BYTES,
      commit,
    },
    close: () => client.close(),
  };
}

function labelOf(place: Place): string {
  return `zookeeper ${place.name}`;
}

/** Of two znodes, the one that was there first has a lower transaction; of one, its data has been changed so many times. */
function versionOf({ czxid, version }: Version): string {
  return `${czxid}-${version}`;
}

/** The part that a transaction can check. */
function numberOf(version: string): number {
  return Number(version.slice(version.lastIndexOf('-') + 1));
}

/** Children are deleted before their parents, and made after them. */
function rankOf({ action, name }: ItemChange): number {
  const depth = name.split('/').length;
  return action === 'delete' ? -depth : depth;
}

/** As many as one transaction takes. */
function partsOf(changes: readonly ItemChange[], sizeOf: (change: ItemChange) => number): readonly (readonly ItemChange[])[] {
  const parts: ItemChange[][] = [];
  let size = 0;
  for (const change of changes) {
    const more = sizeOf(change);
    const part = parts.at(-1);
    if (part && size + more <= PART_BYTES) part.push(change);
    else parts.push([change]);
    size = part && size + more <= PART_BYTES ? size + more : more;
  }
  return parts;
}

// Znodes above the place, which a transaction may have to make as well, need their room.
const PART_BYTES = MAX_REQUEST_BYTES - 20_000;
