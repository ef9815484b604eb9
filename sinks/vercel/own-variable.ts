import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import type { Item } from '../cas/cas-store.ts';
import { SinkError } from '../errors.ts';
import { isSameScope, scopeId, type Scope } from './scope.ts';
import type { Draft, Variable } from './variables.ts';

/** Names that begin so are varTrack's own. */
export const OWN_PREFIX = 'VARTRACK_';

/**
 * The API has no conditional write, but it refuses a second variable of one key and scope. So the versions of the ledger, and of the undo record, are
 * variables whose keys are numbered: of all who want to make number 8 after 7, one can.
 */
export interface OwnVersion {
  readonly number: number;
  readonly variable: Variable;
}

export function ownNames(scope: Scope): { readonly ledger: string; readonly undo: string } {
  const id = scopeId(scope).toUpperCase();
  return { ledger: `${OWN_PREFIX}${id}_LEDGER`, undo: `${OWN_PREFIX}${id}_UNDO` };
}

export function isOwn(name: string): boolean {
  return name.startsWith(OWN_PREFIX);
}

/** All versions that are there, the newest last. More than one only while, or after, somebody was at work. */
export function ownVersions(variables: readonly Variable[], name: string, scope: Scope): readonly OwnVersion[] {
  const found = variables.flatMap((variable) => {
    const [, digits] = variable.key.startsWith(`${name}_`) ? (/^_([1-9]\d*)$/.exec(variable.key.slice(name.length)) ?? []) : [];
    return digits !== undefined && isSameScope(variable, scope) ? [{ number: Number(digits), variable }] : [];
  });
  return found.toSorted((a, b) => a.number - b.number);
}

export function versionOf({ number, variable }: OwnVersion): string {
  return `${number}.${variable.id}`;
}

/** The number after a version; 1 where there is none. */
export function nextNumber(version: string | null): number {
  return version === null ? 1 : Number(version.split('.')[0]) + 1;
}

export function ownDraft(name: string, number: number, body: Buffer, scope: Scope): Draft {
  const kind = isLedger(name) ? 'ledger: who owns which variables of this scope' : 'what its last write replaced';
  return { ...scope, key: `${name}_${number}`, value: valueOf(name, body), type: 'encrypted', comment: `varTrack ${kind}; do not change` };
}

/** Whether nothing follows that would tidy up: a ledger that is no claim. The versions before it are removed then, those of the undo record too. */
export function endsWrite(name: string, body: Buffer): boolean {
  return isLedger(name) && !body.includes('"state":"intent"');
}

/** What the variable counts for in the limit of a deployment. */
export function ownBytes(name: string, body: Buffer): number {
  return name.length + 10 + Buffer.byteLength(valueOf(name, body));
}

export function ownItem(label: string, name: string, version: OwnVersion): Item {
  const { value } = version.variable;
  if (value === null) throw new SinkError('unauthorized', `${label}: the token cannot read ${version.variable.key}; docs/sinks/vercel.md says what it needs`);
  return { body: bodyOf(name, value), version: versionOf(version), attributes: {} };
}

function isLedger(name: string): boolean {
  return name.endsWith('_LEDGER');
}

// The ledger is for people to read, too; an undo record is long.
function valueOf(name: string, body: Buffer): string {
  return isLedger(name) ? body.toString('utf8') : brotliCompressSync(body).toString('base64');
}

function bodyOf(name: string, value: string): Buffer {
  if (isLedger(name)) return Buffer.from(value);
  try {
    return brotliDecompressSync(Buffer.from(value, 'base64'), { maxOutputLength: 1024 * 1024 });
  } catch {
    // Which the protocol finds damaged.
    return Buffer.from(value);
  }
}
