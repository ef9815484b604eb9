import { OWN_PREFIX } from '../../../sinks/vercel/own-variable.ts';
import { startVercel } from '../vercel.ts';
import type { OneSink } from './one-sink.ts';
import { startRefusingProxy } from './refusing-proxy.ts';

const FORBIDDEN = {
  type: 'application/json',
  body: JSON.stringify({ error: { code: 'forbidden', message: "You don't have permission to change env vars." } }),
};

export async function vercelSink(environments: readonly string[]): Promise<OneSink> {
  const server = await startVercel();
  const projectOf = (environment: string) => server.project(`checkout-${environment}`);
  // Projects are people's to make.
  for (const environment of environments) projectOf(environment);
  const proxy = await startRefusingProxy(server.url, FORBIDDEN);
  return {
    kind: 'vercel',
    options: { url: proxy.url, token: { env: 'VERCEL_TOKEN' }, teamId: server.teamId, requestsPerMinute: 100_000, deletesPerMinute: 100_000 },
    destination: { place: 'checkout-{env}' },
    credentials: { VERCEL_TOKEN: server.token('admin') },
    look: async (environment) => {
      const values = [...projectOf(environment).variables.values()].filter(({ key }) => !key.startsWith(OWN_PREFIX));
      return values.length === 0 ? null : Object.fromEntries(values.map(({ key, value }) => [key, value]));
    },
    trace: async (environment) => JSON.stringify([projectOf(environment).writes(), ...projectOf(environment).variables.values()]),
    refuseWrites: async () => proxy.refuseWrites(true),
    allowWrites: async () => proxy.refuseWrites(false),
    stop: async () => {
      await proxy.stop();
      await server.stop();
    },
  };
}
