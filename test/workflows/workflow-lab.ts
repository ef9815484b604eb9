import { randomUUID } from 'node:crypto';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { ApplicationFailure } from '@temporalio/common';
import { inject } from 'vitest';
import type { Activities, ApplyTargetInput, PreparedRule, PreparedTarget } from '../../activities/activity-types.ts';
import { requestResults } from '../../clients/sync-result.ts';
import { startSync } from '../../clients/start-sync.ts';
import { registerSearchAttributes } from '../../clients/temporal.ts';
import type { TenantCheck } from '../../domain/drift.ts';
import type { RunOutcome } from '../../domain/status.ts';
import { recordHistory } from './record-history.ts';
import type { SyncRequest, SyncResult } from '../../workflows/messages.ts';
import { workflowBundleOf } from './workflow-bundle.ts';

/** The workflows alone, on a real Temporal server, with activities that the test writes. */
export interface WorkflowLab {
  readonly client: Client;
  /** Runs a worker with these activities while `act` runs. */
  withWorker<T>(activities: Partial<Activities>, act: (lab: StreamLab) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface StreamLab {
  readonly client: Client;
  readonly taskQueue: string;
  readonly tenant: string;
  push(request?: Partial<SyncRequest>): Promise<WorkflowHandle>;
  /** What the run said of each request, also when it ended as a failed workflow. */
  result(handle: WorkflowHandle): Promise<SyncResult>;
  /** The outcome of the last request. */
  outcome(handle: WorkflowHandle): Promise<RunOutcome>;
}

Runtime.install({ logger: new DefaultLogger('ERROR') });

export interface WorkflowLabOptions {
  readonly maxCachedWorkflows?: number;
}

export async function openWorkflowLab(options: WorkflowLabOptions = {}): Promise<WorkflowLab> {
  const { address, namespace } = inject('temporal');
  const [connection, native, workflowBundle] = await Promise.all([
    Connection.connect({ address }),
    NativeConnection.connect({ address }),
    workflowBundleOf('plain'),
  ]);
  await registerSearchAttributes(connection, namespace);
  const client = new Client({ connection, namespace });
  return {
    client,
    async withWorker(activities, act) {
      const taskQueue = `test-${randomUUID()}`;
      const worker = await Worker.create({
        connection: native,
        namespace,
        taskQueue,
        workflowBundle,
        activities: { report: () => Promise.resolve(), checkTenant: () => Promise.resolve(nothingFound()), startRuns: () => Promise.resolve(), ...activities },
        maxHeartbeatThrottleInterval: '200ms',
        ...options,
      });
      return worker.runUntil(() => act(streamLab(client, taskQueue, options.maxCachedWorkflows === undefined)));
    },
    async close() {
      await Promise.all([connection.close(), native.close()]);
    },
  };
}

function streamLab(client: Client, taskQueue: string, records: boolean): StreamLab {
  const tenant = `t-${randomUUID().slice(0, 8)}`;
  const lab: StreamLab = {
    client,
    taskQueue,
    tenant,
    async push(request = {}) {
      const whole: SyncRequest = { id: randomUUID(), trigger: 'push', ref: { kind: 'branch', name: 'main' }, ...request };
      const { workflowId, runId } = await startSync(client, { tenant, repository: 'config', stream: 'main' }, whole, { taskQueue });
      return client.workflow.getHandle(workflowId, runId);
    },
    async result(handle) {
      try {
        return await requestResults(handle);
      } finally {
        if (records) await recordHistory(handle);
      }
    },
    async outcome(handle) {
      const last = (await lab.result(handle)).requests.at(-1);
      if (!last) throw new Error('the run ended without a request');
      return last.outcome;
    },
  };
  return lab;
}

/** A check of a tenant that has no rules. */
export function nothingFound(found: Partial<TenantCheck> = {}): TenantCheck {
  return {
    kind: 'checked',
    at: new Date().toISOString(),
    intervals: [],
    groups: [],
    targets: [],
    pollIntervals: [],
    streams: null,
    polled: [],
    moreStreams: 0,
    pollProblems: [],
    freeze: null,
    rotated: [],
    secretVersions: null,
    notifies: false,
    ...found,
  };
}

/** A rule with targets named `t0`, `t1`, …, all to be written. */
export function ruleOf(count: number, options: Partial<PreparedRule> = {}): PreparedRule {
  const targets = Array.from({ length: count }, (_, destination): PreparedTarget => ({
    rule: 'settings',
    environment: 'production',
    destination,
    sink: `sink-${destination}`,
    kind: 'redis',
    place: `t${destination}`,
    layout: 'hash',
    fields: { layout: 'hash' },
    digest: 'd',
    change: 'write',
  }));
  return { rule: 'settings', environment: 'production', onFailure: 'compensate', timeoutMs: 20_000, targets, ...options };
}

export const COMMIT = 'a'.repeat(40);

export function ready(...rules: readonly PreparedRule[]): Activities['prepare'] {
  return () => Promise.resolve({ kind: 'ready', commit: COMMIT, rules });
}

/** A write that fails for good, and has or has not touched the place. */
export function failsForGood(wrote: 'no' | 'unknown'): never {
  throw ApplicationFailure.create({ message: 'the sink refuses', type: 'sink rejected', nonRetryable: true, details: [{ wrote }] });
}

/** Which places were written, in order. */
export function placesOf(inputs: readonly ApplyTargetInput[]): string[] {
  return inputs.map((input) => input.target.place).toSorted();
}
