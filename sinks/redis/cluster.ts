import { SinkError } from '../errors.ts';
import { abortable } from '../abortable.ts';
import type { Connection, ServerConnection } from './connection.ts';
import { keySlot } from './key-slot.ts';
import type { Address } from './options.ts';
import { cancelled, MovedSlot } from './redis-error.ts';

/** Who serves which slots: `host:port` of each primary. */
interface Topology {
  readonly primaries: ReadonlySet<string>;
  ownerOf(slot: number): string | undefined;
}

export interface ClusterConnection extends Connection {
  /** Those that serve slots now, asked for anew. Throws SinkError. */
  primaries(): Promise<readonly Address[]>;
}

/**
 * A connection for each primary of a cluster, every call to the one that has the slot of its first key. Only a call that a node refused because the
 * slot is another's is sent again: it has done nothing. All else fails as on a single server, and the next call finds out anew who serves what.
 *
 * @param seeds `host:port` of some nodes
 */
export function createClusterConnection(name: string, seeds: readonly string[], open: (host: string, port: number) => ServerConnection): ClusterConnection {
  const nodes = new Map<string, ServerConnection>();
  let current: Promise<Topology> | undefined;
  let known: ReadonlySet<string> = new Set();
  let closed = false;

  function nodeAt(address: string): ServerConnection {
    const { host, port } = splitAddress(address);
    const node = nodes.get(address) ?? open(host, port);
    nodes.set(address, node);
    return node;
  }

  /** Asks the nodes, one after the other, until one answers. Of no caller's signal: others wait for it too. */
  async function discover(): Promise<Topology> {
    const failures: SinkError[] = [];
    for (const address of new Set([...known, ...seeds])) {
      try {
        const reply = await nodeAt(address).command(`${name}: node ${address}`, ['CLUSTER', 'SLOTS'], new AbortController().signal);
        const topology = topologyOf(reply, address);
        known = topology.primaries;
        const gone = [...nodes].filter(([each]) => !known.has(each));
        for (const [each] of gone) nodes.delete(each);
        await Promise.all(gone.map(([, node]) => node.close()));
        return topology;
      } catch (error) {
        if (!(error instanceof SinkError)) throw error;
        failures.push(error);
      }
    }
    throw failures.find(({ reason }) => reason !== 'unavailable') ?? failures[0] ?? new SinkError('unavailable', `${name}: no node answered`);
  }

  function ask(): Promise<Topology> {
    if (current) return current;
    const asked = discover();
    current = asked;
    asked.catch(() => forget(asked));
    return asked;
  }

  function forget(asked: Promise<Topology> | undefined): void {
    if (current === asked) current = undefined;
  }

  async function run<Reply>(label: string, key: string, work: (node: ServerConnection, label: string) => Promise<Reply>, signal: AbortSignal): Promise<Reply> {
    let moved: string | undefined;
    for (let redirections = 0; ; redirections++) {
      if (closed) throw new SinkError('unavailable', `${label}: the connection was closed`);
      const { owner, asked } = await abortable(
        signal,
        () => cancelled(label),
        async () => {
          const asking = ask();
          return { owner: (await asking).ownerOf(keySlot(key)), asked: asking };
        },
      );
      const address: string | undefined = moved ?? owner;
      if (address === undefined) {
        forget(asked);
        throw new SinkError('unavailable', `${label}: no node of the cluster serves its slot`);
      }
      try {
        return await work(nodeAt(address), `${label}: node ${address}`);
      } catch (error) {
        if (error instanceof SinkError && (error.reason === 'unavailable' || error instanceof MovedSlot)) forget(asked);
        if (!(error instanceof MovedSlot)) throw error;
        if (redirections === MAX_REDIRECTIONS) throw new SinkError('unavailable', `${label}: its slot moves from node to node`);
        moved = error.address.startsWith(':') ? splitAddress(address).host + error.address : error.address;
      }
    }
  }

  return {
    transaction: (label, commands, signal) => run(label, String(commands[0]?.[1]), (node, where) => node.transaction(where, commands, signal), signal),
    script: (label, text, keys, args, signal) => run(label, keys[0] ?? '', (node, where) => node.script(where, text, keys, args, signal), signal),
    primaries: async () => {
      if (closed) throw new SinkError('unavailable', `${name}: the connection was closed`);
      forget(current);
      return [...(await ask()).primaries].map(splitAddress);
    },
    close: async () => {
      closed = true;
      await Promise.all([...nodes.values()].map((node) => node.close()));
    },
  };
}

const MAX_REDIRECTIONS = 3;

/** Of the answer to CLUSTER SLOTS: ranges, each with its first and last slot, the primary and the replicas. */
function topologyOf(reply: unknown, asked: string): Topology {
  const ranges = (Array.isArray(reply) ? reply : []).flatMap((range: unknown) => {
    if (!Array.isArray(range) || !Array.isArray(range[2])) return [];
    const [host, port] = range[2] as [Buffer | null, number];
    // An empty host is the one that was asked.
    const address = `${host?.length ? String(host) : splitAddress(asked).host}:${port}`;
    return [{ first: Number(range[0]), last: Number(range[1]), address }];
  });
  return {
    primaries: new Set(ranges.map(({ address }) => address)),
    ownerOf: (slot) => ranges.find(({ first, last }) => first <= slot && slot <= last)?.address,
  };
}

/** The host of an IPv6 address stands without brackets, as Redis writes it. */
function splitAddress(address: string): Address {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}
