import { describe, expect, it } from 'vitest';
import { maskSecrets } from '../../activities/mask-secrets.ts';
import type { TargetState } from '../../activities/stream-state.ts';
import { createFingerprint } from '../../clients/fingerprint.ts';
import type { Ledger } from '../../domain/ledger.ts';
import { plan, type Desired, type LiveState, type Plan } from '../../domain/plan.ts';
import { policyOf } from '../domain/policy-of.ts';

const fingerprint = createFingerprint('key');
const owner = { tenant: 'acme', rule: 'settings', environment: 'production' };
const REFERENCE = '@secret(app#password)';

/** What is to do at a place that was written with the password `hunter2`. */
function planWith(
  found: Readonly<Record<string, string | null>>,
  owned: readonly string[] = ['name', 'password'],
  readBack: 'readable' | 'hidden' = 'readable',
): Plan {
  const entries = [
    { path: ['name'], value: 'n', key: 'name', text: 'n' },
    { path: ['password'], value: REFERENCE, key: 'password', text: REFERENCE },
  ];
  const written: Record<string, string> = { name: fingerprint('n'), password: fingerprint('hunter2') };
  const keys = Object.fromEntries(owned.map((key) => [key, written[key] ?? '']));
  const ledger: Ledger = { version: 1, owner, stream: 'config/main', commit: 'c', generation: 1, write: 'w', state: 'committed', keys, at: '' };
  const live: LiveState = { exists: true, entries: new Map(Object.entries(found)), ledger, version: '' };
  const masked = maskSecrets({ entries, secretKeys: new Set(['password']) } as unknown as TargetState, live, ledger, fingerprint);
  const desired: Desired = { entries: masked.target.entries, owner, stream: 'config/main', commit: 'c', inputsMoved: false, write: 'check', at: '' };
  return plan(desired, live, policyOf({ readBack }), masked.fingerprint);
}

describe('a secret, compared by what its ledger knows', () => {
  it('is as it was written, without anybody knowing its value', () => {
    expect(planWith({ name: 'n', password: 'hunter2' }).kind).toBe('unchanged');
  });

  it.each([
    ['changed', { name: 'n', password: 'theirs' }],
    ['changed to the reference itself', { name: 'n', password: REFERENCE }],
    ['removed', { name: 'n' }],
  ])('that somebody %s is drift', (_, found) => {
    expect(planWith(found)).toMatchObject({ kind: 'write', puts: [{ entry: { key: 'password' } }] });
  });

  it('that cannot be read back is taken for what was written', () => {
    expect(planWith({ name: 'n', password: null }, ['name', 'password'], 'readable')).toMatchObject({ kind: 'write', puts: [{ before: undefined }] });
    expect(planWith({ name: null, password: null }, ['name', 'password'], 'hidden').kind).toBe('unchanged');
  });

  it('that its ledger does not know is nobody’s', () => {
    expect(planWith({ name: 'n', password: 'hunter2' }, ['name'])).toMatchObject({ kind: 'held', holds: [{ keys: ['password'] }] });
  });

  it('is expected to have the fingerprint that was written', () => {
    const planned = planWith({ name: 'n', password: 'theirs' });
    if (planned.kind !== 'write') throw new Error(planned.kind);
    expect(planned.ledger.keys['password']).toBe(fingerprint('hunter2'));
  });
});
