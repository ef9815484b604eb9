import type { Fingerprint, Ledger, Owner } from '../../domain/ledger.ts';
import type { Desired, LiveState, Ownership, Policy, RenderedEntry, WritePlan } from '../../domain/plan.ts';
import { policyOf as policyOfReadable } from './policy-of.ts';

/** What a place holds, whoever wrote it; `hidden` keys are there and cannot be read back. */
export interface ModelPlace {
  readonly exists: boolean;
  readonly values: ReadonlyMap<string, string>;
  readonly hidden: ReadonlySet<string>;
  readonly ledger: Ledger | null;
  readonly corrupt?: string;
}

export const OWNER: Owner = { tenant: 'acme', rule: 'settings', environment: 'production' };
export const STRANGER: Owner = { tenant: 'acme', rule: 'other', environment: 'production' };

export const fingerprint: Fingerprint = (text) => `fp(${text})`;

export const ABSENT: ModelPlace = { exists: false, values: new Map(), hidden: new Set(), ledger: null };

export function placeOf(values: Readonly<Record<string, string>>, ledger: Ledger | null = null): ModelPlace {
  return { exists: true, values: new Map(Object.entries(values)), hidden: new Set(), ledger };
}

/** A ledger that owns `keys`, at the fingerprints of the values given. */
export function ledgerOf(keys: Readonly<Record<string, string>>, fields: Partial<Ledger> = {}): Ledger {
  return {
    version: 1,
    owner: OWNER,
    stream: 'config/main',
    commit: 'a'.repeat(40),
    generation: 1,
    write: 'w1',
    state: 'committed',
    keys: Object.fromEntries(Object.entries(keys).map(([key, text]) => [key, fingerprint(text)])),
    at: '2026-01-01T00:00:00Z',
    ...fields,
  };
}

export function desiredOf(values: Readonly<Record<string, string>> | ReadonlyMap<string, string>, fields: Partial<Desired> = {}): Desired {
  const entries = [...(values instanceof Map ? values : new Map(Object.entries(values)))].map(([key, text]): RenderedEntry => ({
    path: [key],
    value: text,
    key,
    text,
  }));
  return { entries, owner: OWNER, stream: 'config/main', commit: 'b'.repeat(40), inputsMoved: true, write: 'w2', at: '2026-01-02T00:00:00Z', ...fields };
}

/** The model has hidden values. */
export function policyOf(fields: Partial<Policy> = {}): Policy {
  return policyOfReadable({ readBack: 'hidden', ...fields });
}

/** The read of the sink contract: a shared place answers for the desired and the owned keys, a whole place for everything. */
export function readModel(place: ModelPlace, desired: Desired, ownership: Ownership): LiveState {
  const asked = new Set([...desired.entries.map((entry) => entry.key), ...Object.keys(place.ledger?.keys ?? {})]);
  const seen = place.corrupt === undefined ? [...place.values].filter(([key]) => ownership === 'place' || asked.has(key)) : [];
  const entries = new Map(seen.map(([key, text]) => [key, place.hidden.has(key) ? null : text]));
  return { exists: place.exists, entries, ledger: place.ledger, version: 'v', ...(place.corrupt !== undefined && { corrupt: place.corrupt }) };
}

/** The write of the sink contract. Only what the plan names changes; a corrupt place is written anew. */
export function applyModel(place: ModelPlace, plan: WritePlan, ownership: Ownership): ModelPlace {
  const values = new Map(place.corrupt === undefined ? place.values : []);
  const hidden = new Set(place.hidden);
  for (const { key } of plan.deletes) values.delete(key);
  for (const { entry } of plan.puts) values.set(entry.key, entry.text);
  for (const key of hidden) if (!values.has(key)) hidden.delete(key);
  return { exists: ownership === 'place' || values.size > 0, values, hidden, ledger: plan.ledger };
}
