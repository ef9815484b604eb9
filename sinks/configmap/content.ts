import { createHash } from 'node:crypto';
import { removesPlace, type LiveState, type WritePlan } from '../../domain/plan.ts';
import { readDocument, writeDocument } from '../leaf-document.ts';
import type { Place } from '../sink.ts';
import type { ConfigmapFields } from '../configmap.ts';
import type { Changes, ConfigMap } from './config-maps.ts';

/** What stands under a data key: text, or bytes in base64. */
export type Stored = { readonly text: string } | { readonly binary: string };
export type Content = ReadonlyMap<string, Stored>;

/** What a plan does to one data key. */
export interface Change {
  readonly key: string;
  readonly action: 'put' | 'delete' | 'check';
  /** What is to be there; null for a delete and a check. */
  readonly next: Stored | null;
  /** What the plan saw: a text, null for absent, undefined for bytes; or a digest of {@link digestOf}. */
  readonly expected: { readonly text: string | null | undefined } | { readonly digest: string };
}

export const ABSENT = '-';
/** What Kubernetes takes for data and binaryData together, keys not counted. */
export const MAX_DATA_BYTES = 1024 * 1024;

export function contentOf(map: ConfigMap | null): Content {
  const texts = Object.entries(map?.data ?? {}).map(([key, text]) => [key, { text }] as const);
  const bytes = Object.entries(map?.binaryData ?? {}).map(([key, binary]) => [key, { binary }] as const);
  return new Map<string, Stored>([...texts, ...bytes]);
}

export function digestOf(stored: Stored | null | undefined): string {
  if (!stored) return ABSENT;
  const [kind, body] = 'text' in stored ? ['t', stored.text] : ['b', stored.binary];
  return `${kind}${createHash('sha256').update(body).digest('hex')}`;
}

export function bytesOf(content: Content): number {
  return [...content.values()].reduce(
    (sum, stored) => sum + ('text' in stored ? Buffer.byteLength(stored.text) : Buffer.byteLength(stored.binary, 'base64')),
    0,
  );
}

/** Entries of the place as a read gives them: bytes under a key are there and cannot be read as text. */
export function entriesOf(content: Content, keys: Iterable<string>): LiveState['entries'] {
  const there = [...new Set(keys)].flatMap((key) => {
    const stored = content.get(key);
    return stored ? [[key, 'text' in stored ? stored.text : null] as const] : [];
  });
  return new Map(there);
}

export function documentIn(place: Place<ConfigmapFields>, stored: Stored) {
  if (!('text' in stored)) return { corrupt: 'holds bytes that are no text' };
  return readDocument(Buffer.from(stored.text), 'the document', place.fields.format, MAX_DATA_BYTES);
}

export function changesOf(place: Place<ConfigmapFields>, file: string | null, plan: WritePlan, content: Content): readonly Change[] {
  if (file !== null) {
    const [, digest = ABSENT] = plan.base.version.split(' ');
    const base = { key: file, expected: { digest } };
    if (plan.content === 'keep') return [{ ...base, action: 'check', next: null }];
    if (plan.content === 'remove') return [{ ...base, action: removesPlace(plan) ? 'delete' : 'check', next: null }];
    return [{ ...base, action: 'put', next: { text: newDocument(place, plan, content.get(file)) } }];
  }
  const texts = new Map(plan.adopted.length === 0 ? [] : plan.entries.map((entry) => [entry.key, entry.text]));
  return [
    ...plan.puts.map(({ entry, before }): Change => ({ key: entry.key, action: 'put', next: { text: entry.text }, expected: { text: before } })),
    ...plan.deletes.map(({ key, before }): Change => ({ key, action: 'delete', next: null, expected: { text: before } })),
    ...plan.adopted.map((key): Change => ({ key, action: 'check', next: null, expected: { text: texts.get(key) } })),
  ];
}

export function standsAsPlanned({ expected }: Change, stored: Stored | undefined): boolean {
  if ('digest' in expected) return digestOf(stored) === expected.digest;
  if (expected.text === null) return stored === undefined;
  if (stored === undefined) return false;
  return expected.text === undefined ? 'binary' in stored : 'text' in stored && stored.text === expected.text;
}

/** The content after `next` was put there; null goes away. */
export function changedContent(content: Content, next: ReadonlyMap<string, Stored | null>): Content {
  return new Map([...content, ...next].flatMap(([key, stored]) => (stored && next.get(key) !== null ? [[key, stored] as const] : [])));
}

/** The parts of a merge patch that make the content so. */
export function dataPatch(content: Content, next: ReadonlyMap<string, Stored | null>): { readonly data?: Changes; readonly binaryData?: Changes } {
  const data = new Map<string, string | null>();
  const binaryData = new Map<string, string | null>();
  for (const [key, stored] of next) {
    const before = content.get(key);
    if (before) ('text' in before ? data : binaryData).set(key, null);
    if (stored && 'text' in stored) data.set(key, stored.text);
    else if (stored) binaryData.set(key, stored.binary);
  }
  return {
    // Object.fromEntries also defines a key named __proto__.
    ...(data.size > 0 ? { data: Object.fromEntries(data) } : {}),
    ...(binaryData.size > 0 ? { binaryData: Object.fromEntries(binaryData) } : {}),
  };
}

function newDocument(place: Place<ConfigmapFields>, plan: WritePlan, live: Stored | undefined): string {
  const { format } = place.fields;
  const found = plan.kept.length > 0 && live ? documentIn(place, live) : undefined;
  const leaves = found && 'leaves' in found ? found.leaves : undefined;
  const kept = plan.kept.flatMap((key) => leaves?.get(key) ?? []);
  return writeDocument(plan.entries, kept, format).toString('utf8');
}
