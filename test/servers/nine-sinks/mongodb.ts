import { OWN_FIELD } from '../../../sinks/mongodb/place-names.ts';
import { startFerret } from '../ferretdb.ts';
import { createTurns, startFerretProxy, WRITES } from '../ferretdb-proxy.ts';
import type { OneSink } from './one-sink.ts';

export async function mongodbSink(): Promise<OneSink> {
  const server = await startFerret();
  let refuses = false;
  // FerretDB has no users: what stands in front of it says no for it.
  const proxy = await startFerretProxy(Number(new URL(server.url).port), createTurns(), (command) =>
    refuses && WRITES.has(command) ? { code: 13, codeName: 'Unauthorized' } : undefined,
  );
  const collection = () => server.client.db('acme').collection('settings');
  const documentOf = (environment: string) => collection().findOne({ _id: environment as never });
  return {
    kind: 'mongodb',
    options: { url: `mongodb://127.0.0.1:${proxy.port}` },
    destination: { place: 'acme/settings/{env}' },
    credentials: {},
    look: async (environment) => {
      const fields = Object.entries((await documentOf(environment)) ?? {}).filter(([name]) => name !== '_id' && name !== OWN_FIELD);
      return fields.length === 0 ? null : Object.fromEntries(fields);
    },
    trace: async (environment) => JSON.stringify(await documentOf(environment)),
    edit: async (environment, changes) => {
      const sets = Object.fromEntries(Object.entries(changes).filter(([, text]) => text !== null));
      const removed = Object.keys(changes).filter((key) => changes[key] === null);
      const unset = Object.fromEntries(removed.map((key) => [key, '']));
      await collection().updateOne(
        { _id: environment as never },
        { ...(Object.keys(sets).length > 0 && { $set: sets }), ...(removed.length > 0 && { $unset: unset }) },
      );
    },
    clear: async (environment) => void (await collection().deleteOne({ _id: environment as never })),
    loseLedger: async (environment) => void (await collection().updateOne({ _id: environment as never }, { $unset: { [OWN_FIELD]: '' } })),
    refuseWrites: async () => void (refuses = true),
    allowWrites: async () => void (refuses = false),
    stop: async () => {
      await proxy.stop();
      await server.stop();
    },
  };
}
