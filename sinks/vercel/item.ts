import { createHash, randomUUID } from 'node:crypto';
import type { RenderedEntry } from '../../domain/plan.ts';
import type { Attributes, Item } from '../cas/cas-store.ts';
import type { Content } from '../cas/codec.ts';
import type { VercelFields } from './options.ts';
import { isOverlapping, isSameScope, scopeId, scopeOf } from './scope.ts';
import type { Draft, Variable } from './variables.ts';

/** The variables that stand where the key of a place belongs: one, but for scopes that overlap ours without being it. */
export function standingAt(variables: readonly Variable[], key: string, fields: VercelFields): readonly Variable[] {
  const scope = scopeOf(fields);
  return variables.filter((variable) => variable.key === key && isOverlapping(variable, scope));
}

/** Whether the comment says that varTrack wrote it for this scope. */
export function isMarked({ comment }: Draft, fields: VercelFields): boolean {
  return comment.startsWith(markOf(fields));
}

/**
 * What stands at a key. Another form than the destination asks for (environments, readable or not) has a body that no value can equal, so that it is
 * a difference to mend or somebody else's.
 */
export function itemOf(standing: readonly Variable[], fields: VercelFields): Item | null {
  const [variable, ...others] = standing;
  if (!variable) return null;
  const version = createHash('sha256').update(JSON.stringify(standing)).digest('hex').slice(0, 16);
  const { type, comment, value, targets, gitBranch, customEnvironments } = variable;
  if (others.length === 0 && isSameScope(variable, scopeOf(fields))) {
    if (fields.layout === 'sensitive' && type === 'sensitive') return { body: Buffer.from(nonceOf(comment)), version, attributes: { type, comment } };
    if (fields.layout === 'env' && value !== null && type !== 'system') return { body: Buffer.from(value), version, attributes: { type, comment } };
  }
  const form = standing.map((each) => [each.id, each.type, each.targets, each.customEnvironments, each.type === 'sensitive' ? '' : each.value]);
  const whole = { key: variable.key, value, type, comment, targets, gitBranch, customEnvironments } satisfies Draft;
  return { body: Buffer.from(`\0${JSON.stringify(form)}`), version, attributes: { type, comment, whole: others.length === 0 ? whole : null } };
}

/** The text of an item; null for a value that nobody can read. */
export function textOf({ body, attributes }: Item, fields: VercelFields): string | null {
  return fields.layout === 'sensitive' && attributes['whole'] === undefined ? null : body.toString('utf8');
}

/** What a put writes. A value that cannot be read back is known again by a mark in its comment, which says nothing of it. */
export function contentOf(entry: RenderedEntry, fields: VercelFields): Content {
  const { type } = fields;
  if (fields.layout === 'env') return { body: Buffer.from(entry.text), attributes: { type, comment: markOf(fields) } };
  const nonce = randomUUID();
  return { body: Buffer.from(nonce), attributes: { type, comment: `${markOf(fields)} #${nonce}`, secret: entry.text } };
}

/** The variable that a put makes; null where its value is one that was hidden from us. */
export function draftOf(key: string, body: Buffer, attributes: Attributes, fields: VercelFields): Draft | null {
  const { whole, type, comment, secret } = attributes as { whole?: Draft | null; type?: string; comment?: string; secret?: string };
  if (whole !== undefined) return whole === null || whole.value === null ? null : whole;
  const value = type === 'sensitive' ? secret : body.toString('utf8');
  if (value === undefined) return null;
  return { ...scopeOf(fields), key, value, type: type ?? fields.type, comment: comment ?? '' };
}

function markOf(fields: VercelFields): string {
  return `varTrack ${scopeId(scopeOf(fields))}: written from Git; change it there`;
}

function nonceOf(comment: string): string {
  return /#([0-9a-f-]{36})$/.exec(comment)?.[1] ?? '';
}
