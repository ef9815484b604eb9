import type { WorkflowHandle } from '@temporalio/client';
import { vi } from 'vitest';
import type { CheckTenantInput, StartRunsInput } from '../../activities/activity-types.ts';
import { wakeDriftWatches } from '../../clients/start-drift-watch.ts';
import type { CheckedTarget, StreamNews, TenantCheck, WatchState } from '../../domain/drift.ts';
import { driftStateQuery, driftWorkflowId, type DriftWatchInput, type DriftWatchState } from '../../workflows/messages.ts';
import { nothingFound, type StreamLab, type WorkflowLab } from './workflow-lab.ts';

/** A watch on a real server, whose tenant is what the test says. */
export interface DriftLab {
  readonly tenant: string;
  readonly client: StreamLab['client'];
  readonly watch: WorkflowHandle;
  /** What the next checks find; the test changes it. */
  readonly found: { targets: CheckedTarget[]; streams: StreamNews[]; notifies: boolean; kind: 'checked' | 'gone' };
  readonly checks: CheckTenantInput[];
  readonly runs: StartRunsInput['runs'][number][];
  readonly resumed: string[];
  /** Called within each check, before it answers. */
  during: (input: CheckTenantInput) => Promise<void>;
  state(): Promise<DriftWatchState>;
  /** Waits until the state is as it should be. */
  until(expectation: (state: DriftWatchState) => void): Promise<void>;
  details(): Promise<string>;
}

export interface DriftLabOptions {
  /** What a run before it has carried on. */
  readonly carried?: WatchState;
  readonly targets?: readonly CheckedTarget[];
}

const INTERVAL_MS = 60_000;

export async function withWatch(lab: WorkflowLab, options: DriftLabOptions, act: (drift: DriftLab) => Promise<void>): Promise<void> {
  const found: DriftLab['found'] = { targets: [...(options.targets ?? [])], streams: [], notifies: false, kind: 'checked' };
  const [checks, runs, resumed]: [CheckTenantInput[], StartRunsInput['runs'][number][], string[]] = [[], [], []];
  let drift: DriftLab | undefined;
  const activities = {
    async checkTenant(input: CheckTenantInput): Promise<TenantCheck | { readonly kind: 'gone' }> {
      checks.push(input);
      await drift?.during(input);
      if (found.kind === 'gone') return { kind: 'gone' as const };
      const isWhole = input.groups === 'all' || input.groups.length > 0;
      return nothingFound({
        intervals: [INTERVAL_MS],
        groups: isWhole ? [{ intervalMs: INTERVAL_MS, targets: found.targets, more: 0, digest: 'd' }] : [],
        targets: found.targets.filter(({ id }) => input.targets.includes(id)),
        streams: input.polls.length > 0 ? found.streams : null,
        polled: input.polls.length > 0 ? ['config'] : [],
        notifies: found.notifies,
      });
    },
    startRuns(input: StartRunsInput) {
      runs.push(...input.runs);
      return Promise.resolve();
    },
    requestSync({ by }: { readonly by: string }) {
      resumed.push(by);
      return Promise.resolve({ streams: 1 });
    },
  };
  await lab.withWorker(activities, async ({ client, tenant, taskQueue }) => {
    const watch = client.workflow.getHandle(driftWorkflowId(tenant));
    drift = {
      tenant,
      client,
      watch,
      found,
      checks,
      runs,
      resumed,
      during: () => Promise.resolve(),
      state: () => watch.query(driftStateQuery),
      until: (expectation) => eventually(async () => expectation(await watch.query(driftStateQuery))),
      async details() {
        const { currentDetails } = await watch.query<{ readonly currentDetails: string }>('__temporal_workflow_metadata');
        return currentDetails;
      },
    };
    const { carried } = options;
    if (carried) {
      const args: [DriftWatchInput] = [{ tenant, watch: carried }];
      await client.workflow.start('driftWatchWorkflow', { workflowId: driftWorkflowId(tenant), taskQueue, args });
    } else await wakeDriftWatches(client, [tenant], taskQueue);
    await act(drift);
    await watch.terminate('the test is over').catch(() => undefined);
  });
}

/** Waits until the expectation holds; the machine may be busy. */
export function eventually(expectation: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(expectation, { timeout: 20_000, interval: 50 });
}

export function checkedTarget(id: string, status: CheckedTarget['status'], more: Partial<CheckedTarget> = {}): CheckedTarget {
  return {
    id,
    rule: 'settings',
    environment: 'production',
    sink: 'cache',
    kind: 'redis',
    place: `place of ${id}`,
    repository: 'config',
    stream: 'main',
    event: { kind: 'branch', name: 'main' },
    mode: 'heal',
    status,
    commit: 'a'.repeat(40),
    ...(status === 'Drifted' && { remedy: 'heal', digest: 'x', keys: [{ key: 'redis.port', drift: 'changed', expected: 'e', live: 'l' }] }),
    ...more,
  };
}
