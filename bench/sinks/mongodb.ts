import { randomUUID } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { unflatten } from '../../domain/flatten.ts';
import { toJson } from '../../domain/value.ts';
import { mongodb } from '../../sinks/mongodb.ts';
import { placeNames } from '../../sinks/mongodb/place-names.ts';
import { startFerret } from '../../test/servers/ferretdb.ts';
import { textsOfJson } from './document-texts.ts';
import { SIZES, type Kind } from './lane.ts';

/** FerretDB hangs at a command with more statements. */
const BATCH = 50;

export const mongodbKind: Kind = {
  definition: mongodb,
  // A statement of FerretDB scans the collection.
  lanes: [
    { destination: { names: 'plain' }, sizes: SIZES },
    { destination: { layout: 'keys', names: 'plain' }, sizes: SIZES.slice(0, 2) },
  ],
  start: async () => {
    const server = await startFerret();
    const { hostname, port: serverPort } = new URL(server.url);
    return {
      address: { host: hostname, port: Number(serverPort) },
      sink: ({ host, port }) => mongodb.connect(mongodb.options.parse({ url: `mongodb://${host}:${port}`, batch: BATCH }), async () => ''),
      bare: async ({ host, port }) => {
        const client = new MongoClient(`mongodb://${host}:${port}`, { retryWrites: false, writeConcern: { w: 'majority' } });
        const collectionOf = (name: string) => {
          const { database, collection, id } = placeNames(name);
          return { documents: client.db(database).collection<{ _id: string; value?: unknown }>(collection), id };
        };
        return {
          write: async ({ name, layout }, entries) => {
            const { documents, id } = collectionOf(name);
            if (layout === 'document') {
              await documents.replaceOne({ _id: id }, JSON.parse(toJson(unflatten(entries))) as object, { upsert: true });
              return;
            }
            for (let from = 0; from < entries.length; from += BATCH) {
              const some = entries.slice(from, from + BATCH);
              await documents.bulkWrite(
                some.map(({ key, value }) => ({ updateOne: { filter: { _id: key }, update: { $set: { value } }, upsert: true } })),
                { ordered: true },
              );
            }
          },
          read: async ({ name, layout }, entries) => {
            const { documents, id } = collectionOf(name);
            if (layout === 'document') return textsOfJson(JSON.stringify(await documents.findOne({ _id: id })), entries);
            const found = await documents.find({ _id: { $in: entries.map(({ key }) => key) } }).toArray();
            const texts = new Map(found.map((document) => [document._id, JSON.stringify(document.value)]));
            return entries.map(({ key }) => texts.get(key));
          },
          close: () => client.close(),
        };
      },
      placeName: (layout) => (layout === 'keys' ? `bench/c${randomUUID().replaceAll('-', '')}` : `bench/settings/${randomUUID()}`),
      stop: () => server.stop(),
    };
  },
};
