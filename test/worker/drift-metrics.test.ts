import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, inject, it, vi } from 'vitest';
import { createLogger } from '../../clients/logger.ts';
import { wakeDriftWatches } from '../../clients/start-drift-watch.ts';
import { registerSearchAttributes } from '../../clients/temporal.ts';
import type { TenantCheck } from '../../domain/drift.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';
import { installRuntime } from '../../worker/runtime.ts';
import { driftWorkflowId } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { freePort } from '../servers/free-port.ts';

describeWith('temporal', 'drift among the metrics of a worker', () => {
  it('is counted when it is found, and told by status and age', { timeout: 60_000 }, async () => {
    const port = await freePort();
    installRuntime({ logger: createLogger({ name: 'worker', level: 'silent' }), metricsAddress: `127.0.0.1:${port}` });
    const { address, namespace } = inject('temporal');
    const [connection, native] = await Promise.all([Connection.connect({ address }), NativeConnection.connect({ address })]);
    await registerSearchAttributes(connection, namespace);
    const client = new Client({ connection, namespace });
    const [tenant, taskQueue] = [`t-${randomUUID().slice(0, 8)}`, `test-${randomUUID()}`];
    const checkTenant = (): Promise<TenantCheck> => Promise.resolve(found());
    const worker = await Worker.create({
      connection: native,
      namespace,
      taskQueue,
      workflowBundle: await bundleWorkflows('plain'),
      activities: { checkTenant },
    });
    await worker.runUntil(async () => {
      await wakeDriftWatches(client, [tenant], taskQueue);
      await vi.waitFor(
        async () => {
          const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
          const lines = text.split('\n').filter((line) => line.includes(`tenant="${tenant}"`));
          const of = (pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length;
          expect(of(/^vartrack_drift_total\{.*kind="redis".*mode="warn".*\} 1$/)).toBe(1);
          expect(of(/^vartrack_target_info\{.*status="Drifted".*\} 1$/)).toBe(1);
          expect(of(/^vartrack_target_info\{.*status="InSync".*\} 6$/)).toBe(1);
          expect(of(/^vartrack_target_info\{.*status="Contested".*\} 0$/)).toBe(1);
          expect(of(/^vartrack_drift_age_seconds\{.*\} [0-9.]+$/)).toBe(1);
        },
        { timeout: 20_000, interval: 100 },
      );
      await client.workflow.getHandle(driftWorkflowId(tenant)).terminate('the test is over');
    });
    await Promise.all([connection.close(), native.close()]);
  });
});

function found(): TenantCheck {
  const names = { id: 'settings/production/0', rule: 'settings', environment: 'production', sink: 'cache', kind: 'redis', place: 'p' };
  const stream = { repository: 'config', stream: 'main', event: { kind: 'branch', name: 'main' } } as const;
  return {
    kind: 'checked',
    at: new Date().toISOString(),
    intervals: [60_000],
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
    groups: [{ intervalMs: 60_000, targets: [{ ...names, ...stream, mode: 'warn', status: 'Drifted', remedy: 'heal', digest: 'x' }], more: 6, digest: 'd' }],
  };
}
