import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { PlanStreamInput, StreamPlan } from '../activities/activity-types.ts';
import { createDesiredStates } from '../activities/desired-state.ts';
import { computePlan, type PlanView } from '../activities/plan-stream.ts';
import { createSinkPool } from '../activities/sink-pool.ts';
import { createCredentials } from '../clients/credentials.ts';
import { createCue } from '../clients/cue/cue.ts';
import { createFingerprint } from '../clients/fingerprint.ts';
import { createGit } from '../clients/git.ts';
import { createRedactor } from '../domain/redact.ts';
import { sinkDefinitions } from '../sinks/registry.ts';
import type { CliSettings } from './settings.ts';

const clearView: PlanView = { show: showValue, maxTargets: 10_000, maxKeys: 2_000_000, maxKeysOfTarget: 200, maxKeyLength: 1_000 };

/** The dry run in this process, with the bundle's credentials from this environment. No Temporal, and values in clear: they do not leave the machine. */
export async function planLocally({ bundle, bundlePath, cacheDirectory }: CliSettings, input: PlanStreamInput): Promise<StreamPlan> {
  const credentials = createCredentials({ env: process.env, baseDirectory: dirname(bundlePath) }, () => bundle);
  const { resolve } = credentials;
  const directory = cacheDirectory ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'vartrack', 'git');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { allowFileRepositories, fingerprintKey } = bundle.settings;
  const fingerprint = createFingerprint(fingerprintKey && (await resolve(fingerprintKey)));
  const git = createGit({ cacheDirectory: directory, resolve, allowFileRepositories });
  const cue = createCue();
  const sinks = createSinkPool(sinkDefinitions, resolve);
  const desired = createDesiredStates({ git, cue, fingerprint, definitions: sinkDefinitions });
  const hasSecrets = Object.keys(bundle.tenants[input.tenant]?.secretManagers ?? {}).length > 0;
  const view: PlanView = hasSecrets ? { ...clearView, showBefore: fingerprint } : clearView;
  const concealed = new Set<string>();
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  process.once('SIGINT', stop);
  try {
    const deps = { bundle: () => bundle, git, sinks, secrets: credentials.secrets, desired, fingerprint, now: () => new Date() };
    const conceal = (values: Iterable<string>): void => {
      for (const value of values) concealed.add(value);
    };
    return await computePlan(deps, input, view, { signal: stopping.signal, conceal });
  } catch (error) {
    if (error instanceof Error) error.message = createRedactor(concealed)(error.message);
    throw error;
  } finally {
    process.off('SIGINT', stop);
    await Promise.all([sinks.close(), git.close(), cue.close(), credentials.close()]);
  }
}

/** A secret is never shown, not even as the reference's neighbour in a longer text. */
export function showValue(text: string): string {
  return text.includes('@secret(') ? '[secret]' : text;
}
