import { randomUUID } from 'node:crypto';
import * as driver from 'mongodb';
import { BSON, BSONRegExp } from 'mongodb';
import type { DesiredEntry } from '../../../domain/plan.ts';
import { unflatten } from '../../../domain/flatten.ts';
import { mongodb, type MongodbFields } from '../../../sinks/mongodb.ts';
import { treeOfValue } from '../../../sinks/mongodb/bson-value.ts';
import { createDocuments } from '../../../sinks/mongodb/documents.ts';
import { createMongodbSink } from '../../../sinks/mongodb/mongodb-sink.ts';
import { clientOptions } from '../../../sinks/mongodb/options.ts';
import { LEDGER_ID, OWN_FIELD, placeNames, UNDO_ID } from '../../../sinks/mongodb/place-names.ts';
import type { Place } from '../../../sinks/sink.ts';
import { freePort } from '../../servers/free-port.ts';
import { startFerret } from '../../servers/ferretdb.ts';
import { cutStore } from '../cas/cut-store.ts';
import type { Bench, Fault } from '../contract.ts';
import { startSilentServer } from '../silent-server.ts';

type Raw = Map<string, unknown>;

/** FerretDB, and what somebody with all rights sees and does there without the sink. */
export async function startBench(fields: MongodbFields): Promise<Bench> {
  const [server, silent] = await Promise.all([startFerret(), startSilentServer()]);
  const optionsFor = (more: Readonly<Record<string, unknown>> = {}) =>
    mongodb.options.parse({ url: server.url, batch: 50, connectTimeout: '1s', serverSelectionTimeout: '1s', requestTimeout: '10s', ...more });
  const resolve = async (): Promise<string> => 'secret';
  const isKeys = fields.layout === 'keys';
  const placeName = (): string => (isKeys ? `acme/c${randomUUID().replaceAll('-', '')}` : `acme/settings/${randomUUID()}`);

  async function all(place: Place): Promise<readonly Raw[]> {
    const { database, collection, id } = placeNames(place.name);
    const found = await server.client
      .db(database)
      .collection(collection)
      .find(isKeys ? {} : { _id: id as never }, { promoteValues: false, bsonRegExp: true, sort: { _id: 1 } })
      .toArray();
    return found.map((document) => new Map(Object.entries(document)));
  }

  async function replaceAll(place: Place, ids: readonly string[], documents: readonly Raw[]): Promise<void> {
    const { database, collection } = placeNames(place.name);
    const db = server.client.db(database);
    if (ids.length > 0) await db.collection(collection).deleteMany({ _id: { $in: ids as never } });
    if (documents.length > 0) await db.command({ insert: collection, documents });
  }

  /** Of a document, all but our own field stays out of a person's hands. */
  async function writeDocument(place: Place, content: ReadonlyMap<string, unknown>): Promise<void> {
    const { id } = placeNames(place.name);
    const own = (await all(place))[0]?.get(OWN_FIELD);
    const document = new Map([['_id', id] as const, ...content, ...(own === undefined ? [] : [[OWN_FIELD, own] as const])]);
    await replaceAll(place, [id], content.size === 0 && own === undefined ? [] : [document]);
  }

  async function fault(which: Fault) {
    const place: Place = { name: placeName(), layout: fields.layout, fields };
    const reach = async (more: Readonly<Record<string, unknown>>) => ({ sink: await mongodb.connect(optionsFor(more), resolve), place });
    switch (which) {
      case 'wrong-credentials':
        return reach({ url: server.urls.stranger, username: 'varTrack', password: { env: 'P' }, authMechanism: 'SCRAM-SHA-256' });
      case 'no-permission':
        return reach({ url: server.urls.nobody });
      case 'read-only':
        return reach({ url: server.urls.reader });
      case 'gone':
        return reach({ url: `mongodb://127.0.0.1:${await freePort()}` });
      case 'silent':
        return reach({ url: `mongodb://127.0.0.1:${silent.port}`, requestTimeout: '500ms' });
    }
  }

  return {
    connect: () => mongodb.connect(optionsFor(), resolve),
    connectCut: async (cut) =>
      createMongodbSink(
        createDocuments(driver, optionsFor(), () => clientOptions(optionsFor(), resolve)),
        BSON,
        (store) => cutStore(store, cut),
      ),
    connectThrough: async (via) => {
      const { hostname, port } = new URL(server.url);
      const seen = await via({ host: hostname, port: Number(port) });
      return mongodb.connect(optionsFor({ url: `mongodb://${seen.host}:${seen.port}`, serverSelectionTimeout: '500ms' }), resolve);
    },
    placeName,
    write: async (place, entries) => {
      if (!isKeys) return writeDocument(place, treeOfValue(unflatten(entries), BSON) as ReadonlyMap<string, unknown>);
      const ids = (await all(place)).map((document) => String(document.get('_id'))).filter((id) => id !== LEDGER_ID && id !== UNDO_ID);
      await replaceAll(place, ids, entries.map(documentOf));
    },
    writeLedger: async (place, text) => {
      const { database, collection, id } = placeNames(place.name);
      const documents = server.client.db(database).collection(collection);
      if (isKeys) await documents.updateOne({ _id: LEDGER_ID as never }, { $set: { ledger: text } });
      else await documents.updateOne({ _id: id as never }, { $set: { [`${OWN_FIELD}.ledger`]: text } });
    },
    look: async (place) => {
      const documents = await all(place);
      if (isKeys) {
        const [ledger, undo] = [LEDGER_ID, UNDO_ID].map((id) => documents.find((document) => document.get('_id') === id));
        const content = documents.filter((document) => document !== ledger && document !== undo).map(textOf);
        return { content: content.length === 0 ? null : content, ledger: ledgerText(ledger?.get('ledger')), undo: undo ? textOf(undo) : null };
      }
      const own = documents[0]?.get(OWN_FIELD) as { readonly ledger?: unknown; readonly undo?: unknown } | undefined;
      const content = new Map([...(documents[0] ?? [])].filter(([name]) => name !== OWN_FIELD && name !== '_id'));
      const undo = own?.undo === undefined ? null : textOf(new Map([['undo', own.undo]]));
      return { content: content.size === 0 ? null : textOf(content), ledger: ledgerText(own?.ledger), undo };
    },
    traceOfWrites: async () => server.writes(),
    ...(isKeys ? {} : { spoil: (place: Place) => writeDocument(place, new Map([['pattern', new BSONRegExp('a.b', 'i')]])) }),
    fault,
    outage: server.outage,
    stop: async () => {
      await Promise.all([server.stop(), silent.stop()]);
    },
  };

  function documentOf(entry: DesiredEntry): Raw {
    return new Map<string, unknown>([
      ['_id', mongodb.render(entry, fields).key],
      ['value', treeOfValue(entry.value, BSON)],
    ]);
  }
}

/** With every type; a map's order is part of it. */
function textOf(document: ReadonlyMap<string, unknown>): string {
  return BSON.EJSON.stringify([...document], { relaxed: false });
}

function ledgerText(stored: unknown): string | null {
  return stored === undefined ? null : typeof stored === 'string' ? stored : BSON.EJSON.stringify(stored);
}
