import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { unflatten } from '../../domain/flatten.ts';
import { toJson } from '../../domain/value.ts';
import { helm } from '../../sinks/helm.ts';
import { startKubernetes } from '../../test/servers/kubernetes.ts';
import { programOf } from '../../test/servers/program-of.ts';
import { chartPath } from '../../test/sinks/helm/chart-folder.ts';
import { textsOfJson } from './document-texts.ts';
import { SIZES, type Kind } from './lane.ts';

export const helmKind: Kind = {
  definition: helm,
  lanes: [{ destination: { chart: { path: chartPath } }, sizes: SIZES }],
  start: async () => {
    const [server, program] = await Promise.all([startKubernetes(), programOf('helm4')]);
    const { hostname, port: serverPort } = new URL(server.url);
    return {
      address: { host: hostname, port: Number(serverPort) },
      sink: ({ host, port }) =>
        helm.connect(helm.options.parse({ server: `https://${host}:${port}`, token: { env: 'TOKEN' }, ca: { env: 'CA' }, program }), async (reference) =>
          'env' in reference && reference.env === 'CA' ? server.ca : 'admin-token',
        ),
      bare: async ({ host, port }) => {
        const folder = `${server.kubeconfig}-bench-${port}`;
        await writeFile(folder, (await readFile(server.kubeconfig, 'utf8')).replaceAll(server.url, `https://${host}:${port}`));
        const caches = Object.fromEntries(['HOME', 'HELM_CACHE_HOME', 'HELM_CONFIG_HOME', 'HELM_DATA_HOME'].map((name) => [name, `${folder}.d`]));
        const env = { ...process.env, ...caches, KUBECONFIG: folder };
        const run = (args: readonly string[], input = ''): Promise<string> => {
          const { promise, resolve, reject } = Promise.withResolvers<string>();
          const child = execFile(program, args, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
            error ? reject(new Error(stderr)) : resolve(stdout),
          );
          child.stdin?.end(input);
          return promise;
        };
        const releaseOf = (place: string): string => place.slice(place.indexOf('/') + 1);
        return {
          write: async ({ name }, entries) => {
            await run(['upgrade', releaseOf(name), chartPath, '--install', '--reset-values', '--values', '-'], toJson(unflatten(entries)));
          },
          read: async ({ name }, entries) => textsOfJson(await run(['get', 'values', releaseOf(name), '--output', 'json']), entries),
          close: async () => undefined,
        };
      },
      placeName: () => `default/web-${randomUUID().slice(0, 12)}`,
      stop: () => server.stop(),
    };
  },
};
