import type { WritePlan } from '../../domain/plan.ts';
import type { S3Fields } from '../s3.ts';
import type { Place } from '../sink.ts';
import { contentTypeOf, readDocument, writeDocument } from '../leaf-document.ts';
import type { Attributes, StoredObject } from './objects.ts';
import { entryName, placeNames } from './place-names.ts';

/** What a plan says of one object. */
export interface Change {
  /** Sink key; empty for the one object of a document. */
  readonly key: string;
  /** Key of the object in its bucket. */
  readonly name: string;
  readonly action: 'put' | 'delete' | 'check';
  /** What is to be there; null for a delete, and where nothing is written. */
  readonly body: Buffer | null;
  /** What the plan saw there: an ETag or null for absent, or by its text (undefined: something that is no text). */
  readonly expected: { readonly etag: string | null } | { readonly text: string | null | undefined };
}

export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;
export const ABSENT = '-';

/** The objects that the plan is about, in the order of {@link changesOf}. */
export function namesOf(place: Place, plan: WritePlan): readonly string[] {
  const { name } = placeNames(place.name);
  if (place.layout === 'object') return [name];
  return [...plan.puts.map((put) => put.entry.key), ...plan.deletes.map((each) => each.key), ...plan.adopted].map((key) => name + entryName(key));
}

/** `document` is the live object of a place that is one. */
export function changesOf(place: Place<S3Fields>, plan: WritePlan, document: StoredObject | null): readonly Change[] {
  const { name } = placeNames(place.name);
  if (place.layout === 'object') {
    const [, etag = ABSENT] = plan.base.version.split(' ');
    const change = { key: '', name, expected: { etag: etag === ABSENT ? null : etag } };
    if (plan.content === 'remove') return [{ ...change, action: 'delete', body: null }];
    return [plan.content === 'keep' ? { ...change, action: 'check', body: null } : { ...change, action: 'put', body: newDocument(place, plan, document) }];
  }
  const texts = new Map(plan.adopted.length === 0 ? [] : plan.entries.map((entry) => [entry.key, entry.text]));
  return [
    ...plan.puts.map(({ entry, before }): Change => {
      return { key: entry.key, name: name + entryName(entry.key), action: 'put', body: Buffer.from(entry.text), expected: { text: before } };
    }),
    ...plan.deletes.map(({ key, before }): Change => ({ key, name: name + entryName(key), action: 'delete', body: null, expected: { text: before } })),
    ...plan.adopted.map((key): Change => ({ key, name: name + entryName(key), action: 'check', body: null, expected: { text: texts.get(key) } })),
  ];
}

/** Whether the object is as the plan saw it. */
export function standsAsPlanned({ expected }: Change, live: StoredObject | null): boolean {
  if ('etag' in expected) return (live?.etag ?? null) === expected.etag;
  if (expected.text === undefined) return live !== null;
  return expected.text === null ? live === null : live !== null && live.body.equals(Buffer.from(expected.text));
}

/** What belongs to an object beside its content stays as people set it, where the destination says nothing. */
export function attributesFor({ layout, fields }: Place<S3Fields>, live: StoredObject | null): Attributes {
  const { ContentType: former = '', ContentEncoding: _, ...kept } = live?.attributes ?? {};
  const contentType = layout === 'object' ? contentTypeOf(fields.format) : 'text/plain; charset=utf-8';
  const tags = fields.tags && Object.entries(fields.tags).map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return {
    ...kept,
    // These are what servers call an object whose type nobody gave.
    ContentType: /^($|(binary|application)\/octet-stream$)/.test(former) ? contentType : former,
    ...(fields.cacheControl === undefined ? {} : { CacheControl: fields.cacheControl }),
    ...(fields.storageClass === undefined ? {} : { StorageClass: fields.storageClass }),
    ...(tags === undefined ? {} : { Tagging: tags.join('&') }),
  };
}

function newDocument({ fields }: Place<S3Fields>, plan: WritePlan, document: StoredObject | null): Buffer {
  const content = plan.kept.length > 0 && document ? readDocument(document.body, 'object', fields.format, MAX_DOCUMENT_BYTES) : undefined;
  const leaves = content && 'leaves' in content ? content.leaves : undefined;
  return writeDocument(
    plan.entries,
    plan.kept.flatMap((key) => leaves?.get(key) ?? []),
    fields.format,
  );
}
