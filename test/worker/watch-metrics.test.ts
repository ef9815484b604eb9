import { expect, test } from 'vitest';
import { createLogger } from '../../clients/logger.ts';
import { installRuntime } from '../../worker/runtime.ts';
import { createWatchMetrics } from '../../worker/watch-metrics.ts';
import { freePort } from '../servers/free-port.ts';

test('the subscriptions of a worker are among its metrics, by kind and state', async () => {
  const port = await freePort();
  installRuntime({ logger: createLogger({ name: 'worker', level: 'silent' }), metricsAddress: `127.0.0.1:${port}` });
  const observer = createWatchMetrics();
  for (const _ of ['one tenant', 'another']) observer.moved('redis', null, 'beginning');
  observer.moved('redis', 'beginning', 'standing');
  observer.moved('linux', null, 'refused');

  expect(await shown()).toEqual({ 'redis beginning': 1, 'redis standing': 1, 'linux refused': 1 });
  observer.moved('redis', 'standing', null);
  await expect.poll(shown).toEqual({ 'redis beginning': 1, 'redis standing': 0, 'linux refused': 1 });

  async function shown(): Promise<Readonly<Record<string, number>>> {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const found = text.matchAll(/^vartrack_watches\{(?=.*kind="(\w+)")(?=.*state="(\w+)").*\} (\d+)$/gm);
    return Object.fromEntries([...found].map(([, kind, state, count]) => [`${kind} ${state}`, Number(count)]));
  }
});
