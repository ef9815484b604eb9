import type { CasStore, Item, ItemChange } from '../cas/cas-store.ts';
import { inParallel } from '../cas/in-parallel.ts';
import { SinkError } from '../errors.ts';
import type { Place } from '../sink.ts';
import type { ConsulClient } from './client.ts';
import { decodeResults, fitsTransaction, flagsOf, MAX_OPERATIONS, operationsOf } from './operations.ts';

/** Keys of Consul. Writes are transactions of conditional operations; only a value that none takes is put by itself. */
export function createConsulStore(client: ConsulClient): CasStore {
  async function getSome(place: Place, names: readonly string[], maxBytes: number, signal: AbortSignal): Promise<readonly (Item | null)[]> {
    const operations = names.map((key) => ({ verb: 'get-or-empty', key }) as const);
    const found = resultsOf(place, await client.transact(labelOf(place), operations, signal));
    return names.map((name) => {
      const item = found.get(name);
      if (item === undefined) throw new SinkError('unauthorized', `${labelOf(place)}: the token may not read ${name}; docs/sinks/consul.md has the policy`);
      if (item && item.body.length > maxBytes)
        throw new SinkError('too-large', `${labelOf(place)}: ${name} has ${item.body.length} bytes, above the limit of ${maxBytes}`);
      return item;
    });
  }

  async function get(place: Place, names: readonly string[], maxBytes: number, signal: AbortSignal): Promise<readonly (Item | null)[]> {
    return (await inParallel(partsOf(names, MAX_OPERATIONS), (part) => getSome(place, part, maxBytes, signal))).flat();
  }

  /** Each part is of one moment, and says what the first item was then. */
  async function getSteady(place: Place, [first = '', ...names]: readonly string[], signal: AbortSignal) {
    const parts = await inParallel(partsOf(names, MAX_OPERATIONS - 1), (part) => getSome(place, [first, ...part], Number.POSITIVE_INFINITY, signal));
    const firsts = parts.map(([item = null]) => item);
    const isSteady = firsts.every((item) => item?.version === firsts[0]?.version);
    return { items: [firsts[0] ?? null, ...parts.flatMap((part) => part.slice(1))], isSteady };
  }

  async function commit(place: Place, changes: readonly ItemChange[], signal: AbortSignal): Promise<readonly (string | null)[]> {
    const written = resultsOf(place, await client.transact(labelOf(place), changes.flatMap(operationsOf), signal));
    return changes.map((change) => {
      if (change.action !== 'put') return change.action === 'check' ? change.expected : null;
      const item = written.get(change.name);
      if (!item) throw new SinkError('unauthorized', `${labelOf(place)}: the token may not read what it wrote; docs/sinks/consul.md has the policy`);
      return item.version;
    });
  }

  async function writeOne(place: Place, change: ItemChange, signal: AbortSignal): Promise<string | null> {
    if (change.action !== 'put' || fitsTransaction(operationsOf(change))) return (await commit(place, [change], signal))[0] ?? null;
    const { name, body, expected, attributes } = change;
    const isDone = await client.put(labelOf(place), name, { value: body, flags: flagsOf(attributes), index: expected ?? '0' }, signal);
    // The answer of a put does not say the new index. Somebody else may have been at the key before it is asked for.
    const [now = null] = isDone ? await getSome(place, [name], body.length, signal) : [];
    if (!now?.body.equals(body)) throw new SinkError('conflict', `${labelOf(place)}: ${name} changed since it was read`);
    return now.version;
  }

  return {
    get,
    getSteady,
    version: async (place, name, signal) => (await getSome(place, [name], Number.POSITIVE_INFINITY, signal))[0]?.version ?? null,
    write: (place, changes, signal) => inParallel(changes, (change) => writeOne(place, change, signal)),
    transaction: { fits: (changes) => fitsTransaction(changes.flatMap(operationsOf)), commit },
    close: () => client.close(),
  };
}

/** One at least. */
function partsOf(names: readonly string[], size: number): readonly (readonly string[])[] {
  return Array.from({ length: Math.max(1, Math.ceil(names.length / size)) }, (_, index) => names.slice(index * size, (index + 1) * size));
}

function labelOf(place: Place): string {
  return `consul ${place.name}`;
}

function resultsOf(place: Place, text: string): ReturnType<typeof decodeResults> {
  try {
    return decodeResults(text);
  } catch {
    throw new SinkError('unavailable', `${labelOf(place)}: the answer is none of Consul's; check url`);
  }
}
