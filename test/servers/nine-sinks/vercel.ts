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
    edit: async (environment, changes) => {
      const project = projectOf(environment);
      for (const [name, value] of Object.entries(changes)) {
        const key = name.toUpperCase();
        const there = [...project.variables.values()].find((each) => each.key === key);
        if (value === null) project.remove(there?.id ?? '');
        else if (there) project.edit(there.id, { value });
        else project.create({ key, value, type: 'encrypted', target: ['production'] }, false);
      }
    },
    clear: async (environment) => {
      for (const { id } of projectOf(environment).variables.values()) projectOf(environment).remove(id);
    },
    loseLedger: async (environment) => {
      const { variables, remove } = projectOf(environment);
      for (const { id, key } of variables.values()) if (/^VARTRACK_.*_LEDGER_/.test(key)) remove(id);
    },
    refuseWrites: async () => proxy.refuseWrites(true),
    allowWrites: async () => proxy.refuseWrites(false),
    stop: async () => {
      await proxy.stop();
      await server.stop();
    },
  };
}
