import type { LiveState } from '../../domain/plan.ts';
import { SinkError } from '../errors.ts';
import { provenLedger } from './proven-ledger.ts';
import { ABSENT, getLedger, getUndo, where, type Site } from './site.ts';

const MAX_ROUNDS = 5;

export async function readPlace(site: Site, keys: readonly string[]): Promise<LiveState> {
  const { store, place, layout, signal } = site;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const seen = await getLedger(site);
    const asked = layout.shape === 'document' ? [''] : [...new Set([...keys, ...Object.keys(seen?.content.ledger.keys ?? {})])];
    const names = asked.map((key) => (layout.shape === 'document' ? layout.name : layout.nameOf(key)));
    const found = names.length === 0 ? [] : await store.get(place, names, layout.maxBytes, signal);
    const indexes = new Map(asked.map((key, index) => [key, index]));
    const itemAt = (key: string) => {
      const index = layout.shape === 'document' ? 0 : (indexes.get(key) ?? -1);
      return { name: names[index] ?? '', item: found[index] ?? null };
    };
    const record = seen?.content.before?.work === undefined ? null : await getUndo(site);
    const ledger = seen && provenLedger(seen.content, record?.content ?? null, itemAt);
    // What was read belongs together if the ledger is still the one that was read first.
    if ((await store.version(place, layout.ledger, signal)) !== (seen?.version ?? null)) continue;
    const base = { exists: found.some((item) => item !== null), ledger };
    if (layout.shape === 'keys') {
      const there = asked.flatMap((key, index) => (found[index] ? [[key, layout.decode(found[index])] as const] : []));
      return { ...base, entries: new Map(there), version: seen?.version ?? ABSENT };
    }
    const [document = null] = found;
    const version = `${seen?.version ?? ABSENT} ${document?.version ?? ABSENT}`;
    const content = document === null ? { leaves: new Map<string, never>() } : layout.decode(document);
    if ('corrupt' in content) return { ...base, entries: new Map(), version, corrupt: content.corrupt };
    return { ...base, entries: new Map([...content.leaves].map(([key, leaf]) => [key, leaf.text])), version };
  }
  throw new SinkError('unavailable', `${where(site)}: the ledger changed during each of ${MAX_ROUNDS} reads`);
}
