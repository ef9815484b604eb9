import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import type { PlanStreamInput, StreamPlan } from '../activities/activity-types.ts';
import { checkCodecKey } from '../clients/check-codec-key.ts';
import { chooseStream, type RefChoice } from './choose-stream.ts';
import { CliError } from './cli-error.ts';
import type { ExitName } from './exit-codes.ts';
import { formatPlan } from './format-plan.ts';
import { planLocally } from './plan-locally.ts';
import type { CommandResult } from './run-command.ts';
import { loadSettings, type CliSettings } from './settings.ts';
import { warnWithoutWorker } from './warn-without-worker.ts';
import { withTemporal } from './with-temporal.ts';

export interface PlanOptions extends RefChoice {
  readonly bundle?: string;
  readonly commit?: string;
  readonly allowDeletes?: boolean;
  readonly local?: boolean;
  readonly detailedExitcode?: boolean;
}

/** `vartrack plan`: what a commit would change. Writes nothing, also no ledger. */
export async function runPlan(tenant: string, repository: string, options: PlanOptions): Promise<CommandResult> {
  const settings = await loadSettings(options.bundle);
  const { stream, event } = chooseStream(settings.bundle, tenant, repository, options);
  if (options.commit !== undefined && !/^[0-9a-f]{40}$/.test(options.commit)) {
    throw new CliError('unexpected', '--commit takes a full commit of 40 hex digits; "git rev-parse REF" gives it');
  }
  const input: PlanStreamInput = {
    tenant,
    repository,
    stream,
    ref: event,
    ...(options.commit !== undefined && { commit: options.commit }),
    ...(options.allowDeletes && { deletesAllowed: true }),
  };
  const plan = options.local ? await planLocally(settings, input) : await planOnWorker(settings, input);
  const values = options.local ? 'clear' : 'fingerprints';
  return {
    exit: exitOf(plan, options.detailedExitcode === true),
    json: { tenant, repository, stream, values, ...plan },
    text: formatPlan(`${tenant} ${repository}/${stream}`, plan),
  };
}

async function planOnWorker({ codecKey, taskQueue }: CliSettings, input: PlanStreamInput): Promise<StreamPlan> {
  return withTemporal(codecKey, async (temporal) => {
    const { tenant, repository, stream } = input;
    await checkCodecKey(temporal, tenant, codecKey);
    await warnWithoutWorker(temporal, taskQueue);
    const handle = await temporal.client.workflow.start('planWorkflow', {
      workflowId: `plan/${tenant}/${repository}/${stream}/${randomUUID()}`,
      taskQueue,
      args: [input],
      // Nobody reads it later: where no worker comes, it does not stay open for one.
      workflowExecutionTimeout: '11m',
      priority: { fairnessKey: tenant },
      staticSummary: `${tenant}: plan of ${repository} ${stream}`.slice(0, 200),
    });
    try {
      return (await handle.result()) as StreamPlan;
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw error;
      throw new CliError('failed', `no plan could be made: ${deepestMessage(error)}`, { cause: error });
    }
  });
}

function exitOf(plan: StreamPlan, detailed: boolean): ExitName {
  if (plan.kind === 'rejected') return 'rejected';
  if (plan.kind === 'nothing') return 'ok';
  const found = new Set(plan.targets.map((target) => target.change));
  if (found.has('unknown')) return 'failed';
  if (found.has('held')) return 'held';
  return detailed && found.has('write') ? 'changes' : 'ok';
}

function deepestMessage(error: Error): string {
  return error.cause instanceof Error ? deepestMessage(error.cause) : error.message;
}
