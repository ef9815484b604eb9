import { removesPlace, type WritePlan } from '../../domain/plan.ts';
import type { Item, ItemChange } from './cas-store.ts';
import type { Content, DocumentLayout } from './codec.ts';
import { ABSENT, type Site } from './site.ts';
import { bodyDigest } from './undo-record.ts';

/** What a plan says of one item. */
export interface Change {
  /** Sink key; empty for the one item of a document. */
  readonly key: string;
  readonly name: string;
  readonly action: 'put' | 'delete' | 'check';
  /** What is to be there, given what is; for a put. */
  readonly encode: (live: Item | null) => Content;
  /** Whether the item is as the plan saw it. */
  readonly stands: (live: Item | null) => boolean;
}

/** An item that a plan is about, with what is there now. */
export interface Target {
  readonly change: Change;
  readonly live: Item | null;
  /** What is to be there; null for a delete, and where nothing is written. */
  readonly content: Content | null;
  /** Whether an earlier attempt of the same write has done it. */
  readonly isDone: boolean;
}

/**
 * What the plan says nothing of and a write that did not end announced: absent when it was read, and that write may be about to put it there, if it
 * is not as dead as it seems. Nobody would own it then.
 */
export function announcedOf({ layout }: Site, plan: WritePlan): readonly Change[] {
  if (layout.shape === 'document') return [];
  const known = new Set([...Object.keys(plan.ledger.keys), ...plan.deletes.map((each) => each.key), ...plan.kept]);
  const announced = Object.keys(plan.base.ledger?.keys ?? {}).filter((key) => !known.has(key));
  return announced.map((key) => ({ key, name: layout.nameOf(key), action: 'check', encode: nothing, stands: (live) => live === null }));
}

export function changesOf({ layout }: Site, plan: WritePlan): readonly Change[] {
  if (layout.shape === 'document') {
    const [, version = ABSENT] = plan.base.version.split(' ');
    const stands = (live: Item | null): boolean => (live?.version ?? ABSENT) === version;
    const action = ({ write: 'put', keep: 'check', remove: removesPlace(plan) ? 'delete' : 'check' } as const)[plan.content];
    return [{ key: '', name: layout.name, action, encode: (live) => newDocument(layout, plan, live), stands }];
  }
  const standsAs = (text: string | null | undefined) => (live: Item | null) => {
    if (text === undefined) return live !== null;
    return text === null ? live === null : live !== null && layout.decode(live) === text;
  };
  const texts = new Map(plan.adopted.length === 0 ? [] : plan.entries.map((entry) => [entry.key, entry.text]));
  return [
    ...plan.puts.map(({ entry, before }): Change => {
      return { key: entry.key, name: layout.nameOf(entry.key), action: 'put', encode: (live) => layout.encode(entry, live), stands: standsAs(before) };
    }),
    ...plan.deletes.map(({ key, before }): Change => {
      return { key, name: layout.nameOf(key), action: 'delete', encode: nothing, stands: standsAs(before) };
    }),
    ...plan.adopted.map((key): Change => {
      return { key, name: layout.nameOf(key), action: 'check', encode: nothing, stands: standsAs(texts.get(key)) };
    }),
  ];
}

export function targetOf(change: Change, live: Item | null, isResumed: boolean): Target {
  const content = change.action === 'put' ? change.encode(live) : null;
  const isDone = isResumed && change.action !== 'check' && bodyDigest(live && live.body) === bodyDigest(content && content.body);
  return { change, live, content, isDone };
}

/** The step of the target in its system; none where there is nothing left to do. */
export function stepOf({ change: { action, name }, live, content, isDone }: Target): readonly ItemChange[] {
  if (isDone) return [];
  if (content) return [{ action: 'put', name, expected: live?.version ?? null, ...content }];
  if (action === 'check') return [{ action, name, expected: live?.version ?? null }];
  return live ? [{ action: 'delete', name, expected: live.version }] : [];
}

function newDocument(layout: DocumentLayout, plan: WritePlan, live: Item | null): Content {
  const document = plan.kept.length > 0 && live ? layout.decode(live) : undefined;
  const leaves = document && 'leaves' in document ? document.leaves : undefined;
  return layout.encode(
    plan.entries,
    plan.kept.flatMap((key) => leaves?.get(key) ?? []),
    live,
  );
}

function nothing(): never {
  throw new TypeError('only a put has content');
}
