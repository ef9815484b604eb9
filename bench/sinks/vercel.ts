import { randomUUID } from 'node:crypto';
import { vercel } from '../../sinks/vercel.ts';
import { loadSdk } from '../../sinks/vercel/sdk.ts';
import { startVercel } from '../../test/servers/vercel.ts';
import { SIZES, type Kind } from './lane.ts';

/** Variables of one request. */
const BATCH = 100;

export const vercelKind: Kind = {
  definition: vercel,
  // 64 KB are all there is, with the ledger and what an undo needs.
  lanes: [{ destination: {}, sizes: SIZES.slice(0, 2) }],
  start: async () => {
    const server = await startVercel();
    const { hostname, port: serverPort } = new URL(server.url);
    const { teamId } = server;
    const token = server.token('admin');
    return {
      address: { host: hostname, port: Number(serverPort) },
      sink: ({ host, port }) => {
        // Requests are counted here, not waited for.
        const limits = { requestsPerMinute: 1_000_000, deletesPerMinute: 1_000_000 };
        return vercel.connect(vercel.options.parse({ token: { env: 'TOKEN' }, teamId, url: `http://${host}:${port}`, ...limits }), async () => token);
      },
      bare: async ({ host, port }) => {
        const sdk = await loadSdk();
        const core = sdk.coreFor(token, `http://${host}:${port}`);
        return {
          write: async ({ name }, entries) => {
            for (let from = 0; from < entries.length; from += BATCH) {
              const requestBody = entries.slice(from, from + BATCH).map(({ key, text }) => ({
                key,
                value: text,
                type: 'encrypted' as const,
                target: ['production' as const, 'preview' as const, 'development' as const],
              }));
              const made = await sdk.create(core, { idOrName: name, teamId, upsert: 'true', requestBody });
              if (!made.ok) throw made.error;
            }
          },
          read: async ({ name }, entries) => {
            const found = await sdk.list(core, { idOrName: name, teamId, decrypt: 'true' });
            if (!found.ok) throw found.error;
            if (!('envs' in found.value)) throw new Error('the answer is no list');
            const texts = new Map(found.value.envs.map(({ key, value }) => [key, value]));
            return entries.map(({ key }) => texts.get(key));
          },
          close: () => sdk.close(),
        };
      },
      placeName: () => {
        const name = `bench-${randomUUID()}`;
        server.project(name);
        return name;
      },
      stop: () => server.stop(),
    };
  },
};
