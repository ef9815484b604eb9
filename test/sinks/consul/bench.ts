import { randomUUID } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { createCasSink } from '../../../sinks/cas/cas-sink.ts';
import { consul, type ConsulFields } from '../../../sinks/consul.ts';
import { createConsulClient } from '../../../sinks/consul/client.ts';
import { consulCodec } from '../../../sinks/consul/codec.ts';
import type { ConsulOptions } from '../../../sinks/consul/options.ts';
import { entryName, isReserved, placeNames } from '../../../sinks/consul/place-names.ts';
import { createConsulStore } from '../../../sinks/consul/store.ts';
import { writeDocument } from '../../../sinks/leaf-document.ts';
import type { Place } from '../../../sinks/sink.ts';
import type { ConsulServer } from '../../servers/consul.ts';
import { freePort } from '../../servers/free-port.ts';
import { cutStore } from '../cas/cut-store.ts';
import type { Bench, Fault } from '../contract.ts';
import { startSilentServer } from '../silent-server.ts';
import { createPerson } from './person.ts';

export function optionsFor(url: string, more: Readonly<Record<string, unknown>> = {}): ConsulOptions {
  return consul.options.parse({ url, token: { env: 'TOKEN' }, connectTimeout: '1s', requestTimeout: '10s', ...more });
}

/** A leg of the contract on a server that several share. */
export async function startBench(server: ConsulServer, fields: ConsulFields): Promise<Bench> {
  const silent = await startSilentServer();
  const person = createPerson(server);
  const token = await server.token('key_prefix "acme/" { policy = "write" }');
  const as = (secret: string) => async () => secret;
  const clientOf = (url: string) => createConsulClient(optionsFor(url), as(token));
  const place = (name: string): Place => ({ name, layout: fields.layout, fields });
  const placeName = (): string => `acme/${randomUUID()}/${fields.layout === 'keys' ? '' : 'app.json'}`;
  const isContent = (at: Place, key: string): boolean => (fields.layout === 'keys' ? !isReserved(key) : key === at.name);

  async function fault(which: Fault) {
    const there = place(placeName());
    switch (which) {
      case 'wrong-credentials':
        return { sink: await consul.connect(optionsFor(server.url), as(randomUUID())), place: there };
      case 'no-permission':
        return { sink: await consul.connect(optionsFor(server.url), as(await server.token('key_prefix "other/" { policy = "write" }'))), place: there };
      case 'read-only':
        return { sink: await consul.connect(optionsFor(server.url), as(await server.token('key_prefix "acme/" { policy = "read" }'))), place: there };
      case 'gone':
        return { sink: await consul.connect(optionsFor(`http://127.0.0.1:${await freePort()}`), as(token)), place: there };
      case 'silent': {
        const impatient = { connectTimeout: '500ms', requestTimeout: '500ms' };
        return { sink: await consul.connect(optionsFor(`http://127.0.0.1:${silent.port}`, impatient), as(token)), place: there };
      }
    }
  }

  return {
    connect: () => consul.connect(optionsFor(server.url), as(token)),
    connectCut: async (cut) => createCasSink(cutStore(createConsulStore(clientOf(server.url)), cut), consulCodec),
    connectThrough: async (via) => {
      const { host, port } = await via({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
      return consul.connect(optionsFor(`http://${host}:${port}`), as(token));
    },
    placeName,
    write: async (at, entries) => {
      const wanted = new Map<string, string | Buffer>();
      if (fields.layout === 'document' && entries.length > 0) wanted.set(at.name, writeDocument(entries, [], fields.format));
      if (fields.layout === 'keys')
        for (const { key, text } of entries.map((entry) => consul.render(entry, fields))) wanted.set(at.name + entryName(key, fields.separator), text);
      for (const { Key } of await person.list(at.name)) if (isContent(at, Key) && !wanted.has(Key)) await person.delete(Key);
      for (const [key, value] of wanted) await person.put(key, value);
    },
    writeLedger: (at, text) => person.put(placeNames(at.name).ledger, text),
    look: async (at) => {
      const [all, names] = [await person.list(at.name), placeNames(at.name)];
      const content = all.filter(({ Key }) => isContent(at, Key)).map(({ Key, Value, Flags }) => ({ Key: Key.slice(at.name.length), Value, Flags }));
      const textOf = (name: string): string | null => {
        const found = all.find(({ Key }) => Key === name);
        const bytes = found && Buffer.from(found.Value ?? '', 'base64');
        return bytes ? String(bytes[0] === 0x1f ? gunzipSync(bytes) : bytes) : null;
      };
      return { content: content.length === 0 ? null : content, ledger: textOf(names.ledger), undo: textOf(names.undo) };
    },
    traceOfWrites: async (at) => (await person.list(at.name)).map(({ Key, ModifyIndex }) => [Key, ModifyIndex]),
    ...(fields.layout === 'document' ? { spoil: (at: Place) => person.put(at.name, Buffer.from([0x61, 0xff, 0xfe, 0x0a])) } : {}),
    fault,
    outage: server.outage,
    stop: () => silent.stop(),
  };
}
