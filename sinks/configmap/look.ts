import { createHash } from 'node:crypto';
import { decodeLedger, type Ledger } from '../../domain/ledger.ts';
import { SinkError } from '../errors.ts';
import type { ConfigMap, ConfigMaps } from './config-maps.ts';
import { ABSENT, contentOf, type Content } from './content.ts';
import type { PlaceNames } from './place-names.ts';
import { decodeUndoRecord, type UndoRecord } from './undo-record.ts';

/** A place at one moment. */
export interface Seen {
  readonly main: ConfigMap | null;
  readonly content: Content;
  /** Where the ledger is, or would be looked for last. */
  readonly home: 'main' | 'side';
  /** Asked for only where the main one has no ledger. */
  readonly side: ConfigMap | null;
  readonly ledgerText: string | null;
  readonly ledger: Ledger | null;
}

/** Stands in the annotation of an undo record that is in the ConfigMap beside. */
export const BESIDE = 'beside';
const MAX_ROUNDS = 5;

/** The main ConfigMap's ledger counts; the one beside is for places where there is no main one. */
export async function look(maps: ConfigMaps, names: PlaceNames, signal: AbortSignal): Promise<Seen> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const main = await maps.get(names.main, signal);
    const base = { main, content: contentOf(main) };
    const own = annotation(main, names.ledger);
    if (own !== null) return { ...base, home: 'main', side: null, ledgerText: own, ledger: ledgerOf(names, own) };
    const side = await maps.get(names.side, signal);
    const ledgerText = annotation(side, names.ledger);
    // That there is no ledger is only true if none moved from one to the other between the two answers.
    if (ledgerText === null && (await maps.get(names.main, signal))?.metadata.resourceVersion !== main?.metadata.resourceVersion) continue;
    return { ...base, home: 'side', side, ledgerText, ledger: ledgerText === null ? null : ledgerOf(names, ledgerText) };
  }
  throw new SinkError('unavailable', `${labelOf(names)}: it changed during each of ${MAX_ROUNDS} reads`);
}

/** The record of the ledger's own write; null where there is none. `side` is the one beside, if it was asked for. */
export async function undoRecordOf(names: PlaceNames, seen: Seen, side: ConfigMap | null): Promise<UndoRecord | null> {
  const { ledger } = seen;
  const there = annotation(seen.home === 'main' ? seen.main : seen.side, names.undo);
  const text = there === BESIDE ? (side?.binaryData?.[undoKey(ledger?.generation ?? 0)] ?? null) : there;
  if (text === null || !ledger) return null;
  try {
    const record = await decodeUndoRecord(text);
    return record.generation === ledger.generation && record.write === ledger.write ? record : null;
  } catch {
    throw new SinkError('rejected', `${labelOf(names)}: the undo record in the annotation ${names.undo} is damaged; remove the annotation to go on without`);
  }
}

export function annotation(map: ConfigMap | null, name: string): string | null {
  return map?.metadata.annotations?.[name] ?? null;
}

export function undoKey(generation: number): string {
  return `undo.${generation}`;
}

export function ledgerDigest(text: string | null): string {
  return text === null ? ABSENT : createHash('sha256').update(text).digest('hex');
}

export function labelOf({ main, file }: PlaceNames): string {
  return `configmap ${main.namespace}/${main.name}${file === null ? '' : `/${file}`}`;
}

function ledgerOf(names: PlaceNames, text: string): Ledger {
  try {
    return decodeLedger(text);
  } catch {
    const what = `the ledger in the annotation ${names.ledger} is damaged; put it back, or remove the annotation to have equal values adopted`;
    throw new SinkError('rejected', `${labelOf(names)}: ${what}`);
  }
}
