import { Runtime } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { countHeal } from '../../activities/heal-metrics.ts';
import { createLogger } from '../../clients/logger.ts';
import type { RunOutcome, TargetOutcome } from '../../domain/status.ts';
import { installRuntime } from '../../worker/runtime.ts';
import type { SyncRequest } from '../../workflows/messages.ts';
import { freePort } from '../servers/free-port.ts';

test('heals and rotations are among the metrics of a worker, by kind and status, with the seconds since their drift was seen', async () => {
  const port = await freePort();
  installRuntime({ logger: createLogger({ name: 'worker', level: 'silent' }), metricsAddress: `127.0.0.1:${port}` });
  const meter = Runtime.instance().metricMeter;
  const now = new Date('2026-11-24T12:00:00Z');
  const target = (kind: string, status: TargetOutcome['status']): TargetOutcome => ({ rule: 'r', environment: 'e', sink: 's', kind, place: 'p', status });
  const request: SyncRequest = { id: 'h', trigger: 'heal', ref: { kind: 'branch', name: 'main' }, since: '2026-11-24T11:59:57Z' };
  const outcome: RunOutcome = { status: 'Synced', summary: '', targets: [target('redis', 'Synced'), target('linux', 'Unchanged')], problems: [] };
  countHeal(meter, request, outcome, now);
  countHeal(meter, { ...request, trigger: 'rotation' }, { ...outcome, status: 'Parked', targets: [] }, now);
  countHeal(meter, { ...request, trigger: 'push' }, outcome, now);

  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith('vartrack_heal'));
  const of = (pattern: RegExp) => lines.filter((line) => pattern.test(line));
  expect(of(/^vartrack_heal_total/)).toHaveLength(3);
  expect(of(/^vartrack_heal_total\{.*kind="redis".*status="Synced".*trigger="heal".*\} 1$/)).toHaveLength(1);
  expect(of(/^vartrack_heal_total\{.*kind="linux".*status="Unchanged".*trigger="heal".*\} 1$/)).toHaveLength(1);
  expect(of(/^vartrack_heal_total\{.*kind="none".*status="Parked".*trigger="rotation".*\} 1$/)).toHaveLength(1);
  expect(of(/^vartrack_heal_duration_seconds_sum\{.*trigger="heal".*\} 3$/)).toHaveLength(1);
  expect(of(/^vartrack_heal_duration_seconds_bucket\{.*le="2.5".*\} 0$/)).toHaveLength(1);
  expect(of(/^vartrack_heal_duration_seconds_bucket\{.*le="5".*\} 1$/)).toHaveLength(1);
});
