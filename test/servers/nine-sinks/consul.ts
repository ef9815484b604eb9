import { createPerson } from '../../sinks/consul/person.ts';
import { startConsul } from '../consul.ts';
import type { OneSink } from './one-sink.ts';

const rules = (policy: 'read' | 'write'): string => `key_prefix "acme/" { policy = "${policy}" }`;

export async function consulSink(): Promise<OneSink> {
  const server = await startConsul();
  const person = createPerson(server);
  async function put(path: string, body: object): Promise<{ readonly ID: string; readonly SecretID: string }> {
    const headers = { 'x-consul-token': server.managementToken };
    const answer = await fetch(`${server.url}/v1/acl/${path}`, { method: 'PUT', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`consul ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as { readonly ID: string; readonly SecretID: string };
  }
  const { ID } = await put('policy', { Name: 'vartrack', Rules: rules('write') });
  const { SecretID } = await put('token', { Policies: [{ ID }] });
  const give = async (policy: 'read' | 'write'): Promise<void> => void (await put(`policy/${ID}`, { Name: 'vartrack', Rules: rules(policy) }));
  const prefixOf = (environment: string): string => `acme/${environment}/settings/`;
  return {
    kind: 'consul',
    options: { url: server.url, token: { env: 'CONSUL_TOKEN' } },
    destination: { place: prefixOf('{env}') },
    credentials: { CONSUL_TOKEN: SecretID },
    look: async (environment) => {
      const prefix = prefixOf(environment);
      const values = (await person.list(prefix)).filter(({ Key }) => !Key.slice(prefix.length).includes('.vartrack'));
      const texts = values.map(({ Key, Value }) => [Key.slice(prefix.length), Buffer.from(Value ?? '', 'base64').toString()]);
      return texts.length === 0 ? null : Object.fromEntries(texts);
    },
    trace: async (environment) => JSON.stringify(await person.list(prefixOf(environment))),
    edit: async (environment, changes) => {
      for (const [key, text] of Object.entries(changes)) {
        const path = `${prefixOf(environment)}${key}`;
        await (text === null ? person.delete(path) : person.put(path, text));
      }
    },
    clear: async (environment) => {
      for (const { Key } of await person.list(prefixOf(environment))) await person.delete(Key);
    },
    loseLedger: (environment) => person.delete(`${prefixOf(environment)}.vartrack`),
    refuseWrites: () => give('read'),
    allowWrites: () => give('write'),
    stop: () => server.stop(),
  };
}
