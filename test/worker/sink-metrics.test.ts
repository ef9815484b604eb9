import { expect, test } from 'vitest';
import { createLogger } from '../../clients/logger.ts';
import { installRuntime } from '../../worker/runtime.ts';
import { createSinkMetrics } from '../../worker/sink-metrics.ts';
import { freePort } from '../servers/free-port.ts';

test('calls and circuits of sinks are among the metrics of a worker; only what was ever open is told by name', async () => {
  const port = await freePort();
  installRuntime({ logger: createLogger({ name: 'worker', level: 'silent' }), metricsAddress: `127.0.0.1:${port}` });
  const observer = createSinkMetrics();
  const cache = { tenant: 'acme', sink: 'cache', kind: 'redis' };
  observer.called(cache, 'read', 'ok');
  observer.called(cache, 'read', 'ok');
  observer.called({ tenant: 'blue', sink: 'store', kind: 's3' }, 'apply', 'unavailable');
  observer.circuitChanged(cache, 'open');

  const lines = async (): Promise<readonly string[]> => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return text.split('\n').filter((line) => line.startsWith('vartrack_sink_'));
  };
  expect(await lines()).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^vartrack_sink_calls_total\{.*kind="redis".*operation="read".*outcome="ok".*\} 2$/),
      expect.stringMatching(/^vartrack_sink_calls_total\{.*kind="s3".*operation="apply".*outcome="unavailable".*\} 1$/),
      expect.stringMatching(/^vartrack_sink_circuit_state\{.*kind="redis".*sink="cache".*tenant="acme".*\} 2$/),
    ]),
  );
  expect((await lines()).join('\n')).not.toContain('blue');
  observer.circuitChanged(cache, 'closed');
  await expect.poll(async () => (await lines()).find((line) => line.startsWith('vartrack_sink_circuit_state'))).toMatch(/ 0$/);
});
