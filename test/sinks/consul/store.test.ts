import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Place, Sink } from '../../../sinks/sink.ts';
import { consul } from '../../../sinks/consul.ts';
import { createConsulClient } from '../../../sinks/consul/client.ts';
import { createConsulStore } from '../../../sinks/consul/store.ts';
import type { CasStore } from '../../../sinks/cas/cas-store.ts';
import { startConsul, type ConsulServer } from '../../servers/consul.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { contextFor, failure } from '../contract/scenario.ts';
import { optionsFor } from './bench.ts';
import { createPerson } from './person.ts';

const place: Place = { name: 'acme/', layout: 'keys', fields: consul.destination.parse({}) };
const signal = new AbortController().signal;
const MAX = 1024 * 1024;

describeWith('consul', 'the store of consul', () => {
  let server: ConsulServer;
  beforeAll(async () => {
    server = await startConsul();
  });
  afterAll(() => server.stop());

  function storeWith(token: string): CasStore {
    const store = createConsulStore(createConsulClient(optionsFor(server.url), async () => token));
    onTestFinished(() => store.close());
    return store;
  }

  async function sinkWith(token: string): Promise<Sink> {
    const sink = await consul.connect(optionsFor(server.url), async () => token);
    onTestFinished(() => sink.close());
    return sink;
  }

  const put = (name: string, body: string | Buffer, expected: string | null = null, attributes = {}) =>
    ({ action: 'put', name, expected, body: Buffer.from(body), attributes }) as const;

  test('a value that no transaction takes is put by itself, on its own condition', async () => {
    const store = storeWith(server.managementToken);
    const [one, two] = [Buffer.alloc(512 * 1024, 'x'), Buffer.alloc(512 * 1024, 'y')];
    expect(store.transaction?.fits([put('acme/large 50%', one)])).toBe(false);
    const [version = ''] = await store.write(place, [put('acme/large 50%', one, null, { flags: '18446744073709551615' })], signal);
    const [found] = await store.get(place, ['acme/large 50%'], MAX, signal);
    expect(found?.body.equals(one)).toBe(true);
    expect(found).toMatchObject({ version, attributes: { flags: '18446744073709551615' } });
    await failure(store.write(place, [put('acme/large 50%', two)], signal), 'conflict');
    await store.write(place, [put('acme/large 50%', two, version)], signal);
    await failure(store.write(place, [put('acme/large 50%', one, version)], signal), 'conflict');
    await failure(store.get(place, ['acme/large 50%'], 1_000, signal), 'too-large');
    await failure(store.write(place, [put('acme/larger', Buffer.alloc(512 * 1024 + 1))], signal), 'too-large');
  });

  test('a transaction is all or nothing, whichever condition does not hold', async () => {
    const store = storeWith(server.managementToken);
    const [version = ''] = await store.write(place, [put('acme/there', 'x')], signal);
    const refused = [
      [{ action: 'check', name: 'acme/there', expected: null }],
      [{ action: 'check', name: 'acme/there', expected: '1' }],
      [{ action: 'check', name: 'acme/absent', expected: '1' }],
      [{ action: 'delete', name: 'acme/there', expected: '1' }],
      [{ action: 'delete', name: 'acme/absent', expected: '1' }],
      [put('acme/there', 'y')],
      [put('acme/absent', 'y', '1')],
    ] as const;
    for (const changes of refused) await failure(Promise.resolve(store.transaction?.commit(place, [put('acme/new', 'x'), ...changes], signal)), 'conflict');
    expect(await store.get(place, ['acme/new', 'acme/there'], MAX, signal)).toEqual([null, { body: Buffer.from('x'), version, attributes: {} }]);
    const versions = await store.transaction?.commit(
      place,
      [put('acme/new', ''), { action: 'check', name: 'acme/absent', expected: null }, { action: 'delete', name: 'acme/there', expected: version ?? '' }],
      signal,
    );
    expect(versions).toEqual([await store.version(place, 'acme/new', signal), null, null]);
    expect(await store.get(place, ['acme/new', 'acme/there'], MAX, signal)).toMatchObject([{ body: Buffer.alloc(0) }, null]);
  });

  test('flags that a key has stay, and come back with an undo', async () => {
    const person = createPerson(server);
    const sink = await sinkWith(server.managementToken);
    const at: Place = { name: 'acme/flagged.json', layout: 'document', fields: consul.destination.parse({ layout: 'document' }) };
    await person.put(at.name, '{"a":1}', 7);
    const live = await sink.read(at, contextFor([]));
    const entries = [consul.render({ path: ['a'], value: 2 }, consul.destination.parse(at.fields))];
    const ledger = { version: 1, stream: 's', commit: 'a'.repeat(40), generation: 1, write: 'w', state: 'committed', keys: { a: 'x' }, at: '' } as const;
    const owned = { ...ledger, owner: { tenant: 't', rule: 'r', environment: 'e' } };
    const base = { ledger: null, exists: true, version: live.version };
    const [entry] = entries;
    if (!entry) throw new Error('one entry was rendered');
    const puts = [{ entry, before: '1' }];
    await sink.apply(at, { kind: 'write', base, ledger: owned, content: 'write', puts, deletes: [], adopted: [], kept: [], entries }, contextFor([]));
    expect((await person.list(at.name))[0]).toMatchObject({ Flags: 7, Value: Buffer.from('{\n  "a": 2\n}\n').toString('base64') });
    await sink.restore(at, 1, contextFor([]));
    expect((await person.list(at.name))[0]).toMatchObject({ Flags: 7, Value: Buffer.from('{"a":1}').toString('base64') });
  });

  test('a key that the token may not read is not an absent one (I3)', async () => {
    const person = createPerson(server);
    await person.put('acme/hidden', 'x');
    const store = storeWith(await server.token('key_prefix "acme/" { policy = "read" }\nkey "acme/hidden" { policy = "deny" }'));
    expect(await store.get(place, ['acme/nothing'], MAX, signal)).toEqual([null]);
    const error = await failure(store.get(place, ['acme/nothing', 'acme/hidden'], MAX, signal), 'unauthorized');
    expect(error.message).toContain('acme/hidden');
    await failure(store.version(place, 'acme/hidden', signal), 'unauthorized');
  });

  test('a transaction that the token may not make is no conflict, which would be tried again', async () => {
    const store = storeWith(await server.token('key_prefix "acme/" { policy = "read" }'));
    await failure(Promise.resolve(store.transaction?.commit(place, [put('acme/mine', 'x')], signal)), 'unauthorized');
  });
});
