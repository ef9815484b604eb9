import pLimit from 'p-limit';
import { explainSilence, isSilent, readDriftWatch, type WatchAnswer } from '../clients/drift-watch.ts';
import type { Temporal } from '../clients/temporal.ts';
import { chooseTenant } from './choose-stream.ts';
import type { ExitName } from './exit-codes.ts';
import { paint } from './format-table.ts';
import { formatDrift, type DriftFormat } from './format-drift.ts';
import type { CommandResult } from './run-command.ts';
import { loadSettings } from './settings.ts';
import { withTemporal } from './with-temporal.ts';

export interface DriftOptions {
  readonly bundle?: string;
  readonly all?: boolean;
  readonly detailedExitcode?: boolean;
}

const ASKED_AT_ONCE = 8;

/** `vartrack drift`: what the last checks of a tenant's targets found. */
export async function runDrift(tenant: string | undefined, options: DriftOptions): Promise<CommandResult> {
  const { codecKey, tenants } = await watchedTenants(tenant, options.bundle);
  return withTemporal(codecKey, async (temporal) => {
    const answers = await readDriftWatches(temporal, tenants);
    return {
      exit: exitOf(answers, options.detailedExitcode === true),
      json: { tenants: answers.map(jsonOf) },
      text: formatAnswers(answers, { all: options.all === true }),
    };
  });
}

/** The tenants that are meant: one of the bundle, or all. */
export async function watchedTenants(
  tenant: string | undefined,
  bundlePath: string | undefined,
): Promise<{ readonly codecKey: string | undefined; readonly tenants: readonly string[] }> {
  const { bundle, codecKey } = await loadSettings(bundlePath);
  if (tenant !== undefined) chooseTenant(bundle, tenant);
  return { codecKey, tenants: tenant === undefined ? Object.keys(bundle.tenants) : [tenant] };
}

export async function readDriftWatches({ client }: Temporal, tenants: readonly string[]): Promise<readonly WatchAnswer[]> {
  // One that no worker answers takes as long as it is waited for.
  return pLimit(ASKED_AT_ONCE).map(tenants, (tenant) => readDriftWatch(client, tenant));
}

export function formatAnswers(answers: readonly WatchAnswer[], format: DriftFormat): string {
  const texts = answers.map((answer) =>
    isSilent(answer) ? `${paint('bold', answer.tenant)}: ${paint('red', explainSilence(answer))}` : formatDrift(answer, format),
  );
  return texts.join('\n\n');
}

/** A watch that does not answer is told in words beside the state of others. */
export function jsonOf(answer: WatchAnswer): unknown {
  return isSilent(answer) ? { tenant: answer.tenant, error: explainSilence(answer) } : answer;
}

/** As `plan` ends: what is not known fails, and drift is a difference for who asks for it. */
function exitOf(answers: readonly WatchAnswer[], detailed: boolean): ExitName {
  const found = new Set(answers.flatMap((answer) => (isSilent(answer) || answer.problem !== null ? ['Unknown'] : answer.targets.map(({ status }) => status))));
  if (found.has('Unknown')) return 'failed';
  return detailed && (found.has('Drifted') || found.has('Contested') || found.has('Healing')) ? 'changes' : 'ok';
}
