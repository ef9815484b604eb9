import { randomUUID } from 'node:crypto';
import { Agent, request } from 'undici';
import { configmap } from '../../sinks/configmap.ts';
import { placeNames } from '../../sinks/configmap/place-names.ts';
import { writeDocument } from '../../sinks/leaf-document.ts';
import { startKubernetes } from '../../test/servers/kubernetes.ts';
import { textsOfDocument } from './document-texts.ts';
import { SIZES, type Kind } from './lane.ts';

export const configmapKind: Kind = {
  definition: configmap,
  lanes: ['keys', 'file'].map((layout) => ({ destination: { layout }, sizes: SIZES })),
  start: async () => {
    const server = await startKubernetes();
    const { hostname, port: serverPort } = new URL(server.url);
    return {
      address: { host: hostname, port: Number(serverPort) },
      sink: ({ host, port }) =>
        configmap.connect(configmap.options.parse({ server: `https://${host}:${port}`, token: { env: 'TOKEN' }, ca: { env: 'CA' } }), async (reference) =>
          'env' in reference && reference.env === 'CA' ? server.ca : 'writer-token',
        ),
      bare: async ({ host, port }) => {
        const agent = new Agent({ connect: { ca: server.ca } });
        const call = async (method: 'GET' | 'POST' | 'PATCH', path: string, body?: object): Promise<{ data: Record<string, string> } | null> => {
          const headers = { authorization: 'Bearer writer-token', 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' };
          const answer = await request(`https://${host}:${port}${path}`, {
            dispatcher: agent,
            method,
            headers,
            ...(body && { body: JSON.stringify(body) }),
          });
          const text = await answer.body.text();
          if (answer.statusCode === 404) return null;
          if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
          return JSON.parse(text) as { data: Record<string, string> };
        };
        const pathOf = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`;
        return {
          write: async ({ name: place, layout }, entries) => {
            const { main, file } = placeNames(place, layout);
            const data =
              file === null ? Object.fromEntries(entries.map(({ key, text }) => [key, text])) : { [file]: writeDocument(entries, [], 'yaml').toString() };
            if (await call('PATCH', `${pathOf(main.namespace)}/${main.name}`, { data })) return;
            await call('POST', pathOf(main.namespace), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: main.name }, data });
          },
          read: async ({ name: place, layout }, entries) => {
            const { main, file } = placeNames(place, layout);
            const { data } = (await call('GET', `${pathOf(main.namespace)}/${main.name}`)) ?? { data: {} };
            return file === null ? entries.map(({ key }) => data[key]) : textsOfDocument(Buffer.from(data[file] ?? ''), 'yaml', entries);
          },
          close: () => agent.destroy(),
        };
      },
      placeName: (layout) => `default/bench-${randomUUID()}${layout === 'file' ? '/app.yaml' : ''}`,
      stop: () => server.stop(),
    };
  },
};
