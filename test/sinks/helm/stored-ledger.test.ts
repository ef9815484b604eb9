import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Ledger } from '../../../domain/ledger.ts';
import { SinkError } from '../../../sinks/errors.ts';
import { decodeStored, encodeStored, headOf, labelsOf, ledgerOf, textOf, type StoredLedger } from '../../../sinks/helm/stored-ledger.ts';

const ledger: Ledger = {
  version: 1,
  owner: { tenant: 'acme', rule: 'settings', environment: 'production' },
  stream: 'config/main',
  commit: 'a'.repeat(40),
  generation: 7,
  write: 'w7',
  state: 'committed',
  keys: { host: 'f1' },
  at: '2026-11-24T00:00:00.000Z',
};
const head = headOf(ledger);
const stored: StoredLedger = { head, revision: 4, undo: { revision: 3, before: { head: { ...head, generation: 6, owns: 'nothing' }, revision: 2 } } };

describe('a ledger in labels', () => {
  test('comes back as it was, in labels that Kubernetes takes', () => {
    const texts = fc.string({ unit: 'grapheme', maxLength: 400 });
    fc.assert(
      fc.property(texts, (text) => {
        const labels = labelsOf(text);
        for (const [name, value] of Object.entries(labels)) {
          expect(name).toMatch(/^vartrack\.dev\/[a-z0-9]([a-z0-9.]*[a-z0-9])?$/);
          expect(value).toMatch(/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/);
        }
        expect(textOf(labels)).toBe(text);
      }),
    );
    expect(decodeStored(encodeStored(stored))).toEqual(stored);
    expect(decodeStored(encodeStored({ ...stored, undo: null }))).toEqual({ ...stored, undo: null });
  });

  test('is read among labels of a longer one that stood there before', () => {
    const longer = labelsOf(Array.from({ length: 300 }, (_, index) => String.fromCharCode(33 + ((index * 37) % 90))).join(''));
    expect(decodeStored({ ...longer, ...encodeStored(stored), team: 'blue' })).toEqual(stored);
  });

  test('is absent only where there is no label of it', () => {
    expect(decodeStored({ team: 'blue' })).toBeNull();
  });

  test.each([
    ['cut off', { 'vartrack.dev/ledger': '3', 'vartrack.dev/ledger.0': 'vAAAv' }],
    ['of no number', { 'vartrack.dev/ledger': 'many' }],
    ['of too many', { 'vartrack.dev/ledger': '4000' }],
    ['of another text', labelsOf('null')],
    ['of another version', labelsOf(JSON.stringify({ ...stored, head: { ...head, version: 2 } }))],
    ['without a revision', labelsOf(JSON.stringify({ ...stored, revision: null }))],
    ['with half an undo record', labelsOf(JSON.stringify({ ...stored, undo: { revision: 3 } }))],
  ])('is an error and never an absent one when it is %s', (_why, labels) => {
    expect(() => decodeStored(labels)).toThrow(TypeError);
  });

  test('that is too long for labels is refused before the write', () => {
    const stream = Array.from({ length: 200 }, () => randomUUID()).join('/');
    expect(() => encodeStored({ ...stored, head: { ...head, stream } })).toThrow(SinkError);
  });

  test('has the keys of the values that it was written with, or none', () => {
    expect(ledgerOf(head, 'committed', { host: 'f1' })).toEqual(ledger);
    expect(ledgerOf({ ...head, owns: 'nothing' }, 'intent', { host: 'f1' })).toEqual({ ...ledger, state: 'intent', keys: {} });
  });
});
