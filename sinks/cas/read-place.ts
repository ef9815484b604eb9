import type { LiveState } from '../../domain/plan.ts';
import { SinkError } from '../errors.ts';
import type { Item } from './cas-store.ts';
import type { LedgerItem } from './ledger-item.ts';
import { provenLedger } from './proven-ledger.ts';
import { ABSENT, getLedger, getUndo, itemOf, ledgerIn, where, within, type Seen, type Site } from './site.ts';

const MAX_ROUNDS = 5;

/** Ledger and items that belong together. */
interface Sight {
  readonly seen: Seen<LedgerItem> | null;
  readonly items: ReadonlyMap<string, Item | null>;
  readonly ledger: LiveState['ledger'];
}

export async function readPlace(site: Site, keys: readonly string[]): Promise<LiveState> {
  const { layout } = site;
  const { seen, items, ledger } = (await lookAtOnce(site, keys)) ?? (await lookInTurn(site, keys));
  const base = { exists: [...items.values()].some((item) => item !== null), ledger };
  if (layout.shape === 'keys') {
    const there = [...items].flatMap(([key, item]) => (item ? [[key, layout.decode(item)] as const] : []));
    return { ...base, entries: new Map(there), version: seen?.version ?? ABSENT };
  }
  const [document = null] = items.values();
  const version = `${seen?.version ?? ABSENT} ${document?.version ?? ABSENT}`;
  const content = document === null ? { leaves: new Map<string, never>() } : layout.decode(document);
  if ('corrupt' in content) return { ...base, entries: new Map(), version, corrupt: content.corrupt };
  return { ...base, entries: new Map([...content.leaves].map(([key, leaf]) => [key, leaf.text])), version };
}

/** One round trip where the system has it. Null where that was not enough, as beside a write that goes on. */
async function lookAtOnce(site: Site, keys: readonly string[]): Promise<Sight | null> {
  const { store, place, layout, signal } = site;
  if (!store.getSteady) return null;
  // Which keys are owned is known once the ledger was read; mostly these are the ones that were asked for.
  const asked = askedFor(site, keys, null);
  const names = asked.map((key) => itemOf(site, key));
  const { items, isSteady } = await store.getSteady(place, [layout.ledger, ...names], signal);
  if (!isSteady) return null;
  const [ledgerItem = null, ...found] = items;
  const seen = ledgerIn(site, ledgerItem);
  if (seen?.content.before?.work !== undefined || askedFor(site, keys, seen).length > asked.length) return null;
  const there = asked.map((key, index) => [key, within(site, names[index] ?? '', found[index] ?? null, layout.maxBytes)] as const);
  return { seen, items: new Map(there), ledger: seen?.content.ledger ?? null };
}

async function lookInTurn(site: Site, keys: readonly string[]): Promise<Sight> {
  const { store, place, layout, signal } = site;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const seen = await getLedger(site);
    const asked = askedFor(site, keys, seen);
    const names = asked.map((key) => itemOf(site, key));
    const found = names.length === 0 ? [] : await store.get(place, names, layout.maxBytes, signal);
    const items = new Map(asked.map((key, index) => [key, found[index] ?? null]));
    const record = seen?.content.before?.work === undefined ? null : await getUndo(site);
    const itemAt = (key: string) =>
      layout.shape === 'document' ? { name: layout.name, item: found[0] ?? null } : { name: layout.nameOf(key), item: items.get(key) ?? null };
    const ledger = seen && provenLedger(seen.content, record?.content ?? null, itemAt);
    // What was read belongs together if the ledger is still the one that was read first.
    if ((await store.version(place, layout.ledger, signal)) === (seen?.version ?? null)) return { seen, items, ledger };
  }
  throw new SinkError('unavailable', `${where(site)}: the ledger changed during each of ${MAX_ROUNDS} reads`);
}

/** Sink keys; the empty one is the document. */
function askedFor({ layout }: Site, keys: readonly string[], seen: Seen<LedgerItem> | null): readonly string[] {
  return layout.shape === 'document' ? [''] : [...new Set([...keys, ...Object.keys(seen?.content.ledger.keys ?? {})])];
}
