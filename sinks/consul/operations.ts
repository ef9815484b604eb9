import type { Item, ItemChange } from '../cas/cas-store.ts';

/** One operation of a transaction. Index and flags are decimal: they have 64 bits, and a number of JavaScript 53. */
export type Operation =
  | { readonly verb: 'get-or-empty' | 'check-not-exists'; readonly key: string }
  | { readonly verb: 'check-index' | 'delete-cas'; readonly key: string; readonly index: string }
  | { readonly verb: 'cas'; readonly key: string; readonly index: string; readonly value: Buffer; readonly flags: string };

/** What a transaction takes: in operations, those of servers before 1.19; in bytes of its body, `txn_max_req_len` as it is set by default. */
export const MAX_OPERATIONS = 64;
const MAX_REQUEST_BYTES = 512 * 1024;

/** Deleting a key that is not there succeeds, whatever index is named, so it is looked at first. */
export function operationsOf(change: ItemChange): readonly Operation[] {
  const key = change.name;
  switch (change.action) {
    case 'put':
      return [{ verb: 'cas', key, index: change.expected ?? '0', value: change.body, flags: flagsOf(change.attributes) }];
    case 'delete':
      return ['check-index' as const, 'delete-cas' as const].map((verb) => ({ verb, key, index: change.expected }));
    case 'check':
      return [change.expected === null ? { verb: 'check-not-exists', key } : { verb: 'check-index', key, index: change.expected }];
  }
}

export function fitsTransaction(operations: readonly Operation[]): boolean {
  if (operations.length > MAX_OPERATIONS) return false;
  const sizes = operations.map((each) => ENVELOPE_BYTES + Buffer.byteLength(JSON.stringify(each.key)) + (each.verb === 'cas' ? base64Bytes(each.value) : 0));
  return sizes.reduce((sum, size) => sum + size, 0) <= MAX_REQUEST_BYTES;
}

export function encodeOperations(operations: readonly Operation[]): string {
  const encoded = operations.map((each) => {
    const index = 'index' in each ? `,"Index":${digits(each.index)}` : '';
    const value = each.verb === 'cas' ? `,"Value":"${each.value.toString('base64')}","Flags":${digits(each.flags)}` : '';
    return `{"KV":{"Verb":"${each.verb}","Key":${JSON.stringify(each.key)}${index}${value}}}`;
  });
  return `[${encoded.join(',')}]`;
}

/** Keys by name, null where there is none. Consul leaves out what the token may not read, so a key that is missing here is not an absent one. */
export function decodeResults(text: string): ReadonlyMap<string, Item | null> {
  const { Results } = JSON.parse(text, exactNumbers) as { readonly Results: readonly { readonly KV: KeyValue }[] | null };
  return new Map((Results ?? []).map(({ KV }) => [KV.Key, KV.ModifyIndex === '0' ? null : itemOf(KV)]));
}

export function flagsOf(attributes: Item['attributes']): string {
  const { flags } = attributes;
  return typeof flags === 'string' ? flags : '0';
}

/** More than the names, quotes, index and flags of one operation. */
const ENVELOPE_BYTES = 110;

interface KeyValue {
  readonly Key: string;
  readonly Value: string | null;
  readonly Flags: string;
  readonly ModifyIndex: string;
}

function itemOf({ Value, Flags, ModifyIndex }: KeyValue): Item {
  return { body: Buffer.from(Value ?? '', 'base64'), version: ModifyIndex, attributes: Flags === '0' ? {} : { flags: Flags } };
}

function exactNumbers(this: unknown, _key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' ? (context?.source ?? String(value)) : value;
}

function digits(text: string): string {
  if (!/^\d+$/.test(text)) throw new TypeError('an index and flags are decimal numbers');
  return text;
}

function base64Bytes({ length }: Buffer): number {
  return Math.ceil(length / 3) * 4;
}
