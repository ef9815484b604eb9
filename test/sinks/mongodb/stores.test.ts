import * as driver from 'mongodb';
import { Binary, BSON, BSONRegExp, Decimal128, Double, Int32, Long, ObjectId, Timestamp, UUID } from 'mongodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ItemChange } from '../../../sinks/cas/cas-store.ts';
import { mongodb } from '../../../sinks/mongodb.ts';
import { decodeTree, encodeTree, type Tree } from '../../../sinks/mongodb/bson-tree.ts';
import { createDocumentStore, PART } from '../../../sinks/mongodb/document-store.ts';
import { createDocuments, type Documents } from '../../../sinks/mongodb/documents.ts';
import { createKeysStore } from '../../../sinks/mongodb/keys-store.ts';
import type { Place } from '../../../sinks/sink.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startFerret, type FerretServer } from '../../servers/ferretdb.ts';
import { failure } from '../contract/scenario.ts';

describeWith('ferretdb', 'documents of MongoDB, written conditionally', () => {
  let server: FerretServer;
  let documents: Documents;
  beforeAll(async () => {
    server = await startFerret();
    documents = createDocuments(driver, mongodb.options.parse({ url: server.url, batch: 50 }), async () => ({ retryWrites: false }));
  });
  afterAll(async () => {
    await documents.close();
    await server.stop();
  });

  const signal = (): AbortSignal => AbortSignal.timeout(20_000);
  const placeOf = (name: string, layout: 'document' | 'keys'): Place => ({ name, layout, fields: {} });
  const bodyOf = (values: Readonly<Record<string, Tree>>): Buffer => encodeTree(new Map(Object.entries(values)), BSON);
  const put = (name: string, expected: string | null, body: Buffer): ItemChange => ({ action: 'put', name, expected, body, attributes: {} });

  describe('layout document', () => {
    test('a document with every type comes back byte for byte when it is replaced and put back', async () => {
      const place = placeOf('types/docs/all', 'document');
      const collection = server.client.db('types').collection('docs');
      const raw = new Map<string, unknown>([
        ['_id', 'all'],
        ['z', new Int32(1)],
        ['10', new Double(1)],
        ['9', Long.fromString('9007199254740993')],
        ['when', new Date(5)],
        ['id', new ObjectId()],
        ['bytes', new Binary(Buffer.from([1, 2, 3]))],
        ['uuid', new UUID()],
        ['pattern', new BSONRegExp('a.b', 'i')],
        ['stamp', Timestamp.fromBits(1, 2)],
        [
          'nested',
          new Map<string, unknown>([
            ['2', 'b'],
            ['1', ['x', null, new Map([['k', true]])]],
          ]),
        ],
      ]);
      await server.client.db('types').command({ insert: 'docs', documents: [raw] });
      const bytesNow = async () =>
        Buffer.from((await collection.find({ _id: 'all' as never }, { raw: true }).toArray())[0] as unknown as Buffer).toString('hex');
      const before = await bytesNow();
      const store = createDocumentStore(documents, BSON);
      const [item] = await store.get(place, [PART.content], 1_000_000, signal());
      const [version] = await store.write(place, [put(PART.content, item!.version, bodyOf({ host: 'ours' }))], signal());
      expect(await bytesNow()).not.toBe(before);
      await store.write(place, [put(PART.content, version!, item!.body)], signal());
      expect(await bytesNow()).toBe(before);
    });

    test('ledger, undo record and content change together or not at all', async () => {
      const place = placeOf('parts/docs/one', 'document');
      const store = createDocumentStore(documents, BSON);
      const undo = Buffer.from([0x1f, 0x8b, 0]);
      const first = [put(PART.ledger, null, Buffer.from('one')), put(PART.content, null, bodyOf({ a: 'x' })), put(PART.undo, null, undo)];
      const [ledger] = await store.write(place, first, signal());
      await failure(store.write(place, [put(PART.ledger, ledger!, Buffer.from('two')), put(PART.content, null, bodyOf({ a: 'y' }))], signal()), 'conflict');
      const items = await store.get(place, [PART.content, PART.ledger, PART.undo], 1_000, signal());
      expect(items.map((item) => item?.body)).toEqual([bodyOf({ a: 'x' }), Buffer.from('one'), undo]);
      await store.write(
        place,
        items.map((item, index) => ({ action: 'delete', name: [PART.content, PART.ledger, PART.undo][index]!, expected: item!.version })),
        signal(),
      );
      expect(await server.client.db('parts').collection('docs').countDocuments()).toBe(0);
    });

    test('a write asks for nothing that was read before it, and checks alone for all of it', async () => {
      const place = placeOf('asked/docs/one', 'document');
      await server.client.db('asked').collection<{ _id: string; host: string }>('docs').insertOne({ _id: 'one', host: 'db1' });
      let finds = 0;
      const counting: Documents = {
        ...documents,
        find: async (...args) => {
          finds++;
          return documents.find(...args);
        },
      };
      const store = createDocumentStore(counting, BSON);
      const [item] = await store.get(place, [PART.content], 1_000, signal());
      const [version = null] = await store.write(place, [put(PART.content, item!.version, bodyOf({ host: 'ours' }))], signal());
      expect(finds).toBe(1);
      await store.get(place, [PART.content], 1_000, signal());
      await server.client
        .db('asked')
        .collection<{ _id: string; host: string }>('docs')
        .updateOne({ _id: 'one' }, { $set: { host: 'theirs' } });
      await failure(store.write(place, [{ action: 'check', name: PART.content, expected: version }], signal()), 'conflict');
    });

    test('a field that somebody adds at the moment of the write is put back, and the write is a conflict', async () => {
      const place = placeOf('moment/docs/one', 'document');
      const collection = server.client.db('moment').collection<{ _id: string; [name: string]: unknown }>('docs');
      await collection.insertOne({ _id: 'one', host: 'db1' });
      const meddling: Documents = {
        ...documents,
        replace: async (at, update, stop) => {
          await collection.updateOne({ _id: 'one', added: { $exists: false }, host: 'db1' }, { $set: { added: 5 } });
          return documents.replace(at, update, stop);
        },
      };
      const store = createDocumentStore(meddling, BSON);
      const [item] = await store.get(place, [PART.content], 1_000, signal());
      await failure(store.write(place, [put(PART.content, item!.version, bodyOf({ host: 'ours' }))], signal()), 'conflict');
      expect(await collection.findOne({ _id: 'one' })).toEqual({ _id: 'one', host: 'db1', added: 5 });
    });

    test.each<[string, Tree, unknown]>([
      ['a value', new Int32(5), 6],
      ['the type of a number', new Int32(5), new Double(5)],
      ['a value to a list that has it', new Int32(5), [5, 6]],
      ['a list', ['a'], ['a', 'b']],
      ['null to absent', null, undefined],
      ['null to a list that has it', null, [null]],
      [
        'the order of a map',
        new Map([
          ['a', 'x'],
          ['b', 'y'],
        ]),
        { b: 'y', a: 'x' },
      ],
    ])('%s that is changed at the moment of the write is a conflict', async (_name, before, after) => {
      const place = placeOf('change/docs/one', 'document');
      const collection = server.client.db('change').collection<{ _id: string; [name: string]: unknown }>('docs');
      await collection.deleteMany({});
      await server.client.db('change').command({
        insert: 'docs',
        documents: [
          new Map<string, unknown>([
            ['_id', 'one'],
            ['f', before],
          ]),
        ],
      });
      const meddling: Documents = {
        ...documents,
        replace: async (at, update, stop) => {
          await collection.replaceOne({ _id: 'one' }, after === undefined ? {} : { f: after });
          return documents.replace(at, update, stop);
        },
      };
      const store = createDocumentStore(meddling, BSON);
      const [item] = await store.get(place, [PART.content], 1_000, signal());
      await failure(store.write(place, [put(PART.content, item!.version, bodyOf({ host: 'ours' }))], signal()), 'conflict');
      expect(await collection.findOne({ _id: 'one' })).toEqual({ _id: 'one', ...(after === undefined ? {} : { f: after instanceof Double ? 5 : after }) });
    });
  });

  test('a document that does not fit with what an undo needs is told before the write', async () => {
    const place = placeOf('large/docs/one', 'document');
    const refusing: Documents = {
      ...documents,
      find: async () =>
        new Map([
          [
            'one',
            new Map([
              ['_id', 'one'],
              ['host', 'db1'],
            ]),
          ],
        ]),
      replace: () => Promise.reject(new Error('there is nothing to write')),
    };
    const store = createDocumentStore(refusing, BSON);
    const [item] = await store.get(place, [PART.content], 1_000, signal());
    const undo = put(PART.undo, null, Buffer.alloc(11 * 1024 * 1024, 0x1f));
    await failure(store.write(place, [undo, put(PART.content, item!.version, bodyOf({ host: 'x'.repeat(5 * 1024 * 1024) }))], signal()), 'too-large');
    await failure(store.get(place, [PART.content], 10, signal()), 'too-large');
  });

  describe('layout keys', () => {
    test('items are written in batches, each only if it is as it was read', async () => {
      const place = placeOf('batches/docs', 'keys');
      const store = createKeysStore(documents, BSON);
      const names = Array.from({ length: 120 }, (_, index) => `key${index}`);
      const versions = await store.write(
        place,
        names.map((name) => put(name, null, bodyOf({ v: name }))),
        signal(),
      );
      const changed = await store.write(
        place,
        names.map((name, index) => put(name, versions[index]!, bodyOf({ v: `${name}!` }))),
        signal(),
      );
      await failure(store.write(place, [put('key7', versions[7]!, bodyOf({ v: 'late' }))], signal()), 'conflict');
      await failure(store.write(place, [put('key7', null, bodyOf({ v: 'late' }))], signal()), 'conflict');
      await failure(store.write(place, [{ action: 'delete', name: 'key7', expected: versions[7]! }], signal()), 'conflict');
      const items = await store.get(place, names, 1_000, signal());
      expect(items.map((item) => item?.version)).toEqual(changed);
      expect(items.map((item) => decodeTree(item!.body, BSON).get('v'))).toEqual(names.map((name) => `${name}!`));
      await store.write(
        place,
        names.map((name, index) => ({ action: 'delete', name, expected: changed[index]! })),
        signal(),
      );
      expect(await store.get(place, names, 1_000, signal())).toEqual(names.map(() => null));
    });

    test('what people put beside the value stays with a change, and comes back with an undo of a delete', async () => {
      const place = placeOf('beside/docs', 'keys');
      const collection = server.client.db('beside').collection<{ _id: string; [name: string]: unknown }>('docs');
      await collection.insertOne({ _id: 'host', note: 'theirs', value: 'db1', zz: [1] });
      const store = createKeysStore(documents, BSON);
      const [before] = await store.get(place, ['host'], 1_000, signal());
      const [version] = await store.write(
        place,
        [{ ...put('host', before!.version, bodyOf({ v: 'db2' })), attributes: before!.attributes } as ItemChange],
        signal(),
      );
      expect(JSON.stringify(await collection.findOne({ _id: 'host' }))).toBe('{"_id":"host","note":"theirs","value":"db2","zz":[1]}');
      await store.write(place, [{ action: 'delete', name: 'host', expected: version! }], signal());
      await store.write(place, [{ ...put('host', null, before!.body), attributes: before!.attributes } as ItemChange], signal());
      expect(JSON.stringify(await collection.findOne({ _id: 'host' }))).toBe('{"_id":"host","note":"theirs","value":"db1","zz":[1]}');
    });

    test('a document without a value is no absent one', async () => {
      const place = placeOf('valueless/docs', 'keys');
      const collection = server.client.db('valueless').collection<{ _id: string; [name: string]: unknown }>('docs');
      await collection.insertOne({ _id: 'host', note: 'theirs' });
      const store = createKeysStore(documents, BSON);
      const [item] = await store.get(place, ['host'], 1_000, signal());
      const [version] = await store.write(place, [put('host', item!.version, bodyOf({ v: 'ours' }))], signal());
      await store.write(place, [put('host', version!, item!.body)], signal());
      expect(await collection.findOne({ _id: 'host' })).toEqual({ _id: 'host', note: 'theirs' });
    });

    test('a value that is changed at the moment of the write is a conflict', async () => {
      const place = placeOf('moments/docs', 'keys');
      const collection = server.client.db('moments').collection<{ _id: string; [name: string]: unknown }>('docs');
      const meddling: Documents = {
        ...documents,
        update: async (at, updates, stop) => {
          await collection.updateOne({ _id: 'host' }, { $set: { value: ['db1'] } });
          await documents.update(at, updates, stop);
        },
      };
      await collection.insertOne({ _id: 'host', value: 'db1' });
      const store = createKeysStore(meddling, BSON);
      const [item] = await store.get(place, ['host'], 1_000, signal());
      await failure(store.write(place, [put('host', item!.version, bodyOf({ v: 'ours' }))], signal()), 'conflict');
      expect(await collection.findOne({ _id: 'host' })).toEqual({ _id: 'host', value: ['db1'] });
    });
  });
});

// Decimal128 ends FerretDB's connection, so it is compared without a server.
test('the order of fields and every type survive decoding and encoding', () => {
  const tree = new Map<string, unknown>([
    ['b', Decimal128.fromString('12.50')],
    ['10', new Double(-0)],
    ['2', [Decimal128.fromString('1E+3')]],
    ['__proto__', 'x'],
  ]);
  const bytes = Buffer.from(BSON.serialize(tree));
  expect(encodeTree(decodeTree(bytes, BSON), BSON)).toEqual(bytes);
});
