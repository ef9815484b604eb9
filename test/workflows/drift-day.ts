import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { Client, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { CheckTenantInput, StartRunsInput } from '../../activities/activity-types.ts';
import { wakeDriftWatches } from '../../clients/start-drift-watch.ts';
import type { CheckedTarget, TenantCheck } from '../../domain/drift.ts';
import { nextTick } from '../../domain/watch-clock.ts';
import { driftWorkflowId } from '../../workflows/messages.ts';
import type { TimeSkippingServer } from '../servers/temporal-time-skipping.ts';
import { workflowBundleOf } from './workflow-bundle.ts';
import { nothingFound } from './workflow-lab.ts';

/** A tenant through a day. Every time is in milliseconds since the day began. */
export interface DayWorld {
  /** Intervals, and what is there at a time to be checked so often. May throw. */
  readonly groups: ReadonlyMap<number, (at: number) => readonly CheckedTarget[]>;
  /** How long after the checks the day begins. */
  readonly startsAt: number;
  /** A heal of this target is asked for. */
  heal(id: string, at: number): void;
}

export interface Day {
  readonly watch: WorkflowHandle;
  /** Every check that was answered. */
  readonly checks: readonly { readonly at: number; readonly input: CheckTenantInput }[];
  /** The runs of the watch, in their order. */
  readonly runIds: ReadonlySet<string>;
  /** Each time that every stream was started. */
  readonly resumed: readonly { readonly at: number; readonly by: string }[];
  /** As a time of the calendar. */
  iso(at: number): string;
  /**
   * Nothing may be sent meanwhile, and not when a check is due: if a timer fires while the workflow works on something else and no longer wants it, this
   * server refuses the whole task, which a real one does not, and its time stands still.
   */
  skipTo(at: number): Promise<void>;
}

/** Runs a watch on a server that skips time. Its activities tell the time by when they were scheduled, which the server says. */
export async function withDay(server: TimeSkippingServer, world: DayWorld, act: (day: Day) => Promise<void>): Promise<void> {
  const { connection, address, namespace } = server;
  const native = await NativeConnection.connect({ address });
  const client = new Client({ connection, namespace });
  const [taskQueue, tenant] = [`test-${randomUUID()}`, `t-${randomUUID().slice(0, 8)}`];
  const [checks, resumed, runIds]: [Day['checks'][number][], Day['resumed'][number][], Set<string>] = [[], [], new Set()];
  const workflowBundle = await workflowBundleOf('plain');
  const atStart = await server.now();
  const begin = nextTick(tenant, Math.max(...world.groups.keys()), atStart) + world.startsAt;
  await server.skip(begin - atStart);
  const iso = (at: number): string => new Date(begin + at).toISOString();
  const scheduledAt = (): number => Context.current().info.currentAttemptScheduledTimestampMs - begin;
  const activities = {
    async checkTenant(input: CheckTenantInput): Promise<TenantCheck> {
      const at = scheduledAt();
      runIds.add(Context.current().info.workflowExecution?.runId ?? '');
      const groups = [...world.groups].map(([intervalMs, look]) => ({ intervalMs, targets: look(at), more: 0, digest: '' }));
      const isDue = (intervalMs: number): boolean => input.groups === 'all' || input.groups.some((group) => group.intervalMs === intervalMs);
      checks.push({ at, input });
      return nothingFound({
        at: iso(at),
        intervals: groups.map(({ intervalMs }) => intervalMs),
        groups: groups.filter(({ intervalMs }) => isDue(intervalMs)),
        targets: groups.flatMap(({ targets }) => targets).filter(({ id }) => input.targets.includes(id)),
      });
    },
    async startRuns({ runs }: StartRunsInput): Promise<void> {
      for (const { request } of runs) for (const id of request.only ?? []) world.heal(id, scheduledAt());
    },
    async requestSync({ by }: { readonly by: string }): Promise<{ streams: number }> {
      resumed.push({ at: scheduledAt(), by });
      return { streams: 1 };
    },
  };
  const skipTo = async (at: number): Promise<void> => server.skip(Math.max(0, begin + at - (await server.now())));
  try {
    const worker = await Worker.create({ connection: native, namespace, taskQueue, workflowBundle, activities });
    await worker.runUntil(async () => {
      await wakeDriftWatches(client, [tenant], taskQueue);
      const watch = client.workflow.getHandle(driftWorkflowId(tenant));
      await act({ watch, checks, runIds, resumed, iso, skipTo });
      await watch.terminate('the day is over');
    });
  } finally {
    await native.close();
  }
}
