import { describe, expect, it } from 'vitest';
import { assessTarget, type Assessment } from '../../activities/assess-target.ts';
import type { RuleState, TargetState } from '../../activities/stream-state.ts';
import type { Rule } from '../../domain/bundle.ts';
import type { LiveState, Plan } from '../../domain/plan.ts';
import { envName } from '../../clients/formats/env-name.ts';
import { desiredOf, fingerprint, ledgerOf, OWNER } from '../domain/plan-model.ts';

const COMMIT = 'a'.repeat(40);
const rule: Rule = {
  from: { repository: 'config', files: [], blocks: true, lists: 'json' },
  environments: { branches: { main: 'production' }, tags: {} },
  schema: 'none',
  to: [],
  prune: true,
  protect: [],
  limits: { deletes: null },
  onExisting: 'refuse',
  onFailure: 'compensate',
  drift: { mode: 'heal', intervalMs: 60_000, ignore: ['runtime.*', 'OLD_*'] },
  timeoutMs: 1_000,
};

/** Of a file of the environment, whose names are not the dotted ones. */
function assessed(values: Readonly<Record<string, string>>, live: Readonly<Record<string, string>>, fields: Partial<Assessment> = {}): Promise<Plan> {
  const entries = desiredOf(values).entries.map((entry) => ({ ...entry, path: entry.key.split('.'), key: envName(entry.key.split('.')) }));
  const target: TargetState = {
    destination: 0,
    sink: 'files',
    kind: 'linux',
    place: { name: '/etc/app.env', layout: 'env', fields: {} },
    capabilities: { values: 'readable', ownership: 'place', atomicity: 'place' },
    entries,
    secretKeys: new Set(),
    digest: 'd',
    retired: false,
  };
  const state: RuleState = { name: OWNER.rule, rule, environment: OWNER.environment, targets: [target], secrets: [], inputs: [] };
  const ledger = ledgerOf({ ...Object.fromEntries(entries.map(({ key, text }) => [key, text])), OLD_KEY: '1' }, { commit: COMMIT });
  const there: LiveState = { exists: true, entries: new Map(Object.entries(live)), ledger, version: 'v' };
  const assessment: Assessment = {
    bundle: { settings: { allowFileRepositories: false }, tenants: {} },
    tenant: OWNER.tenant,
    repository: 'config',
    stream: 'main',
    commit: COMMIT,
    rule: state,
    target,
    deletesAllowed: false,
    mends: true,
    write: 'w',
    at: new Date(0),
    fingerprint,
    inputsMoved: () => Promise.resolve(false),
    ...fields,
  };
  return assessTarget(assessment, there);
}

describe('drift.ignore of a rule', () => {
  const values = { name: 'a', 'runtime.level': 'info' };

  it('covers a key by its path in Git, or by the name that the sink has for it', async () => {
    expect(await assessed(values, { NAME: 'a', RUNTIME_LEVEL: 'debug', OLD_KEY: '2' })).toEqual({ kind: 'unchanged', generation: 1 });
    expect(await assessed(values, { NAME: 'b', RUNTIME_LEVEL: 'debug', OLD_KEY: '2', OTHER: '1' })).toMatchObject({
      puts: [{ entry: { key: 'NAME' } }],
      deletes: [{ key: 'OTHER' }],
      kept: ['RUNTIME_LEVEL', 'OLD_KEY'],
    });
  });

  it('is of no account to a push', async () => {
    expect(await assessed(values, { NAME: 'a', RUNTIME_LEVEL: 'debug', OLD_KEY: '2' }, { mends: false })).toMatchObject({
      puts: [{ entry: { key: 'RUNTIME_LEVEL' } }],
      deletes: [{ key: 'OLD_KEY' }],
      kept: [],
    });
  });
});
