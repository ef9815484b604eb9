import { isSlug } from './templates.ts';
import { isMap, type Value } from './value.ts';

/** One field of a secret, as a file or schema names it. */
export interface SecretReference {
  /** Absent: the tenant's only one. */
  readonly manager?: string;
  /** Below the mount of the manager. */
  readonly path: string;
  readonly field: string;
  /** Of KV v2; absent: the one that is newest when a run is prepared. */
  readonly version?: number;
}

export type SecretPart = string | SecretReference;

/** A string that may hold references: its literal parts, with escapes undone, and its references, in their order. */
export interface SecretString {
  readonly parts: readonly SecretPart[];
  /** What is wrong with it, each with the character that it begins at, from 1. */
  readonly problems: readonly { readonly at: number; readonly message: string }[];
}

const RIGHT_FORM = 'write @secret(path#field), @secret(manager:path#field) or @secret(path#field?version=3)';
const ESCAPE = 'for the text itself put a backslash before the @';

/** What is a reference or was meant to be one, with the backslashes before it. */
const START = /(\\*)@(secrets?)(\s*)([([{])/giu;

/** Whether a string has anything to do with references: those that have not are most, and are not parsed. */
export function mentionsSecret(text: string): boolean {
  return text.includes('@') && text.search(START) >= 0;
}

/**
 * Parses a string. Before `@secret(` two backslashes are one, and a single one makes a literal of it; backslashes elsewhere mean nothing.
 * No message quotes the string: somebody may have put the secret itself there.
 */
export function parseSecretString(text: string): SecretString {
  const parts: SecretPart[] = [];
  const problems: { at: number; message: string }[] = [];
  let literal = '';
  let from = 0;
  for (const match of text.matchAll(START)) {
    const [whole, slashes = '', word, space, bracket] = match;
    if (match.index < from) continue;
    const at = match.index + slashes.length;
    literal += text.slice(from, match.index) + slashes.slice(0, slashes.length >> 1);
    from = match.index + whole.length;
    if (slashes.length % 2 === 1) {
      literal += whole.slice(slashes.length);
      continue;
    }
    if (word !== 'secret' || space !== '' || bracket !== '(') {
      problems.push({ at: at + 1, message: `it looks like a secret reference and is none; ${RIGHT_FORM}; ${ESCAPE}` });
      continue;
    }
    const end = text.indexOf(')', from);
    const body = end < 0 ? '' : text.slice(from, end);
    const reference = end < 0 ? 'the secret reference has no closing parenthesis' : parseSecretReference(body);
    if (typeof reference === 'string') problems.push({ at: at + 1, message: `${reference}; ${RIGHT_FORM}; ${ESCAPE}` });
    else {
      if (literal !== '') parts.push(literal);
      literal = '';
      parts.push(reference);
    }
    if (end >= 0) from = end + 1;
  }
  literal += text.slice(from);
  if (literal !== '' || parts.length === 0) parts.push(literal);
  return { parts, problems };
}

/** Parses what stands between the parentheses; a string says what is wrong. */
export function parseSecretReference(body: string): SecretReference | string {
  const [before = '', field, ...more] = body.split('#');
  if (/[\s\p{Cc}]/u.test(body)) return 'the secret reference has spaces or control characters';
  if (/[()]/.test(body)) return 'the secret reference has a parenthesis inside';
  if (field === undefined) return 'the secret reference names no #field';
  if (more.length > 0) return 'the secret reference has more than one #';
  const [name = '', query, ...rest] = field.split('?');
  if (before.includes('?') || rest.length > 0) return 'the secret reference has a ? in the wrong place';
  if (name === '') return 'the secret reference names no field after the #';
  const version = query === undefined ? undefined : /^version=([1-9]\d{0,8})$/.exec(query)?.[1];
  if (query !== undefined && version === undefined) return 'what follows the ? of the secret reference is not version= and a number from 1';
  const colon = before.indexOf(':');
  const manager = colon < 0 ? undefined : before.slice(0, colon);
  if (manager !== undefined && !isSlug(manager)) return 'what stands before the : of the secret reference is no name of a secret manager';
  const path = before.slice(colon + 1);
  if (path === '') return 'the secret reference names no path before the #';
  if (path.split('/').some((segment) => segment === '' || segment === '.' || segment === '..'))
    return 'the path of the secret reference has an empty part or dots; it is the one below the mount, without slashes at its ends';
  return { ...(manager !== undefined && { manager }), path, field: name, ...(version !== undefined && { version: Number(version) }) };
}

/** As it stands in a file, for messages. */
export function formatSecretReference({ manager, path, field, version }: SecretReference): string {
  return `@secret(${manager === undefined ? '' : `${manager}:`}${path}#${field}${version === undefined ? '' : `?version=${version}`})`;
}

/** Whether a value holds a reference, at any depth. */
export function holdsSecret(value: Value): boolean {
  if (typeof value === 'string') return mentionsSecret(value) && parseSecretString(value).parts.some((part) => typeof part !== 'string');
  if (isMap(value)) return value.values().some(holdsSecret);
  return Array.isArray(value) && value.some(holdsSecret);
}

/** The value with every reference replaced and every escape undone, at any depth. */
export function fillSecrets(value: Value, secretOf: (reference: SecretReference) => string): Value {
  if (typeof value === 'string') {
    if (!mentionsSecret(value)) return value;
    return parseSecretString(value)
      .parts.map((part) => (typeof part === 'string' ? part : secretOf(part)))
      .join('');
  }
  if (isMap(value)) return new Map([...value].map(([key, child]) => [key, fillSecrets(child, secretOf)]));
  return Array.isArray(value) ? value.map((item: Value) => fillSecrets(item, secretOf)) : value;
}
