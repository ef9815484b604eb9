import { randomUUID } from 'node:crypto';
import { Agent, request } from 'undici';
import { consul } from '../../sinks/consul.ts';
import { writeDocument } from '../../sinks/leaf-document.ts';
import { startConsul } from '../../test/servers/consul.ts';
import { textsOfJson } from './document-texts.ts';
import { SIZES, type Kind } from './lane.ts';

/** Of one transaction. */
const MAX_OPERATIONS = 64;

export const consulKind: Kind = {
  definition: consul,
  lanes: ['keys', 'document'].map((layout) => ({ destination: { layout }, sizes: SIZES })),
  start: async () => {
    const server = await startConsul();
    const token = server.managementToken;
    const { hostname, port: serverPort } = new URL(server.url);
    return {
      address: { host: hostname, port: Number(serverPort) },
      sink: ({ host, port }) => consul.connect(consul.options.parse({ url: `http://${host}:${port}`, token: { env: 'TOKEN' } }), async () => token),
      bare: async ({ host, port }) => {
        const agent = new Agent();
        const call = async (method: 'GET' | 'PUT', path: string, body?: string | Buffer): Promise<unknown> => {
          const answer = await request(`http://${host}:${port}${path}`, {
            dispatcher: agent,
            method,
            headers: { 'x-consul-token': token },
            ...(body !== undefined && { body }),
          });
          const text = await answer.body.text();
          if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
          return JSON.parse(text);
        };
        return {
          write: async ({ name, layout }, entries) => {
            if (layout === 'document') return void (await call('PUT', `/v1/kv/${name}`, writeDocument(entries, [], 'json')));
            for (let from = 0; from < entries.length; from += MAX_OPERATIONS) {
              const operations = entries
                .slice(from, from + MAX_OPERATIONS)
                .map(({ key, text }) => ({ KV: { Verb: 'set', Key: name + key, Value: Buffer.from(text).toString('base64') } }));
              await call('PUT', '/v1/txn', JSON.stringify(operations));
            }
          },
          read: async ({ name, layout }, entries) => {
            const found = (await call('GET', `/v1/kv/${name}${layout === 'document' ? '' : '?recurse'}`)) as { Key: string; Value: string }[];
            const texts = new Map(found.map(({ Key, Value }) => [Key, Buffer.from(Value, 'base64').toString()]));
            return layout === 'document' ? textsOfJson(texts.get(name) ?? '', entries) : entries.map(({ key }) => texts.get(name + key));
          },
          close: () => agent.destroy(),
        };
      },
      placeName: (layout) => `bench/${randomUUID()}${layout === 'keys' ? '/' : ''}`,
      stop: () => server.stop(),
    };
  },
};
