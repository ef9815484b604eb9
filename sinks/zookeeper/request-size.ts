import type { AclEntry } from './acl.ts';
import type { Step } from './operations.ts';

/**
 * A server drops the connection of who sends more than its jute.maxbuffer, 1,048,575 bytes unless set. The rest is for what the servers add when
 * they write the transaction down.
 */
export const MAX_REQUEST_BYTES = 1_000_000;

/** What a transaction of these steps has, beside {@link sizeOfStep} of each. */
const REQUEST_HEAD_BYTES = 8 + 9;

export function sizeOfSteps(steps: readonly Step[]): number {
  return steps.reduce((bytes, step) => bytes + sizeOfStep(step), REQUEST_HEAD_BYTES);
}

function sizeOfStep(step: Step): number {
  const path = 9 + 4 + Buffer.byteLength(step.path);
  switch (step.op) {
    case 'create':
      return path + 4 + step.data.length + sizeOfAcl(step.acl) + 4;
    case 'setData':
      return path + 4 + step.data.length + 4;
    case 'delete':
    case 'check':
      return path + 4;
  }
}

function sizeOfAcl(acl: readonly AclEntry[]): number {
  return acl.reduce((bytes, { scheme, id }) => bytes + 12 + Buffer.byteLength(scheme) + Buffer.byteLength(id), 4);
}

// Usual lengths of what is not known before there is a place and a connection: the path of the place, and an ACL.
const PLACE_BYTES = 64;
const ACL_BYTES = 96;
// An entry of the ledger: quotes, comma and fingerprint. A change of the undo record: its names and marks, and the digest of what was written. A step
// of the transaction: its marks and lengths.
const LEDGER_ENTRY_BYTES = 40;
const UNDO_CHANGE_BYTES = 130;
const STEP_BYTES = 32;
// The head of each of the two ledgers and of the undo record.
const HEADS_BYTES = 4_000;

/**
 * What the transaction of a write may have at most: the one that replaces this state by another of its size with other keys, without compression.
 * Two states that are both below half of a request follow each other in one transaction, whichever comes first. `texts` are the data of the znodes.
 */
export function sizeOfReplacement(keys: readonly string[], texts: readonly string[]): number {
  const names = total(keys, inJson);
  const ledger = names + keys.length * LEDGER_ENTRY_BYTES;
  const znodes = (texts.length < keys.length ? 0 : names * 2) + texts.length * (UNDO_CHANGE_BYTES + STEP_BYTES + ACL_BYTES + 2 * PLACE_BYTES);
  const undone = ledger + znodes + total(texts, inJson);
  const done = ledger + znodes + total(texts, Buffer.byteLength);
  return HEADS_BYTES + 2 * Math.max(undone, done);
}

function total(texts: readonly string[], sizeOf: (text: string) => number): number {
  return texts.reduce((bytes, text) => bytes + sizeOf(text), 0);
}

function inJson(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}
