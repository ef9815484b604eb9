import type { CasStore, Item, ItemChange } from '../../../sinks/cas/cas-store.ts';
import { SinkError } from '../../../sinks/errors.ts';

export interface MemoryStore extends CasStore {
  readonly stored: Map<string, Item>;
  /** Makes an item what a stranger makes it; null removes it. */
  set(name: string, text: string | null): void;
  /** Runs before the conditions of every change are looked at: what it waits for, or what happens in between. */
  beforeWrite: (name: string) => Promise<void>;
  /** Counts what was changed. */
  writes(): number;
}

/**
 * A system of compare-and-set in memory, with transactions of so many changes; over what another one has stored, if that is given. Places are told apart by their items' names.
 */
export function createMemoryStore({ transactionSize = 0, stored = new Map<string, Item>() } = {}): MemoryStore {
  let writes = 0;

  function enter(signal: AbortSignal): void {
    if (signal.aborted) throw new SinkError('unavailable', 'memory: the call was cancelled');
  }

  function admit({ name, expected }: ItemChange): void {
    if ((stored.get(name)?.version ?? null) !== expected) throw new SinkError('conflict', `memory ${name}: it changed since it was read`);
  }

  function carryOut(change: ItemChange): string | null {
    if (change.action === 'check') return change.expected;
    writes++;
    if (change.action === 'delete') {
      stored.delete(change.name);
      return null;
    }
    const version = nextVersion();
    stored.set(change.name, { body: change.body, version, attributes: change.attributes });
    return version;
  }

  const transaction: NonNullable<CasStore['transaction']> = {
    fits: (changes) => changes.length <= transactionSize,
    commit: async (_place, changes, signal) => {
      for (const { name } of changes) await memory.beforeWrite(name);
      enter(signal);
      if (changes.length > transactionSize || new Set(changes.map((change) => change.name)).size < changes.length)
        throw new SinkError('rejected', 'memory: it is no transaction that the system takes');
      changes.forEach(admit);
      return changes.map(carryOut);
    },
  };
  /** As systems with transactions have it. */
  const getSteady: NonNullable<CasStore['getSteady']> = async (_place, names, signal) => {
    enter(signal);
    return { items: names.map((name) => stored.get(name) ?? null), isSteady: true };
  };
  const memory: MemoryStore = {
    stored,
    set: (name, text) => void (text === null ? stored.delete(name) : stored.set(name, { body: Buffer.from(text), version: nextVersion(), attributes: {} })),
    beforeWrite: async () => undefined,
    writes: () => writes,
    get: async (_place, names, maxBytes, signal) => {
      enter(signal);
      const found = names.map((name) => stored.get(name) ?? null);
      if (found.some((item) => item && item.body.length > maxBytes)) throw new SinkError('too-large', 'memory: an item is above the limit');
      return found;
    },
    ...(transactionSize > 0 ? { getSteady } : {}),
    version: async (_place, name, signal) => {
      enter(signal);
      return stored.get(name)?.version ?? null;
    },
    write: async (_place, changes, signal) => {
      const versions: (string | null)[] = [];
      for (const change of changes) {
        await memory.beforeWrite(change.name);
        enter(signal);
        admit(change);
        versions.push(carryOut(change));
      }
      return versions;
    },
    ...(transactionSize > 0 ? { transaction } : {}),
    close: async () => undefined,
  };
  return memory;
}

let latest = 0;

/** Of all stores: two that share what is stored never give one version twice. */
function nextVersion(): string {
  return `v${++latest}`;
}
