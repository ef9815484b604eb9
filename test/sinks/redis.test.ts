import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { unflatten } from '../../domain/flatten.ts';
import { toJson } from '../../domain/value.ts';
import type { Place } from '../../sinks/sink.ts';
import { redis } from '../../sinks/redis.ts';
import { createConnection } from '../../sinks/redis/connection.ts';
import { clientOptions } from '../../sinks/redis/options.ts';
import { placeKeys } from '../../sinks/redis/place-keys.ts';
import { createStore } from '../../sinks/redis/store.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis } from '../servers/redis.ts';
import { describeSinkContract, type Bench, type Fault } from './contract.ts';
import { startSilentServer } from './silent-server.ts';

const layouts = ['hash', 'keys', 'json'] as const;

describeWith('redis', 'the redis sink', () => {
  for (const layout of layouts) {
    describeSinkContract(layout, { definition: redis, destination: { layout }, cuts: true, faults: true, start: () => startBench(layout) });
  }
});

async function startBench(layout: (typeof layouts)[number]): Promise<Bench> {
  let server = await startRedis();
  const silent = await startSilentServer();
  const raw = new Redis({ host: server.host, port: server.port, retryStrategy: () => 20, maxRetriesPerRequest: null });
  raw.on('error', () => undefined);
  const fields = { layout };
  const place = (name: string): Place => ({ name, layout, fields });
  const connect = (options: Readonly<Record<string, unknown>>, password = '') =>
    redis.connect(
      redis.options.parse({ url: `redis://127.0.0.1:${server.port}`, connectTimeout: '1s', commandTimeout: '2s', ...options }),
      async () => password,
    );
  const entryKeys = async (name: string) => (await raw.keys(`${name}*`)).filter((key) => key.startsWith(name)).toSorted();

  async function pairs(key: string): Promise<readonly string[]> {
    // Not hgetall(): its object would lose a field named __proto__.
    const flat = (await raw.call('HGETALL', key)) as string[];
    return flat.flatMap((name, index) => (index % 2 === 0 ? [JSON.stringify([name, flat[index + 1]])] : [])).toSorted();
  }

  async function fault(which: Fault) {
    const name = `denied:${randomUUID()}`;
    const user = async (...rules: string[]) => {
      const username = `user-${randomUUID()}`;
      await raw.call('ACL', 'SETUSER', username, 'on', '>secret', ...rules);
      return connect({ username, password: { env: 'P' } }, 'secret');
    };
    switch (which) {
      case 'wrong-credentials': {
        await raw.call('ACL', 'SETUSER', 'somebody', 'on', '>secret', '~*', '+@all');
        return { sink: await connect({ username: 'somebody', password: { env: 'P' } }, 'wrong'), place: place(name) };
      }
      case 'no-permission':
        return { sink: await user('~elsewhere:*', '+@all'), place: place(name) };
      case 'read-only':
        return { sink: await user('%R~*', '+@all'), place: place(name) };
      case 'gone':
        return { sink: await connect({ url: 'redis://127.0.0.1:1' }), place: place(name) };
      case 'silent':
        return { sink: await connect({ url: `redis://127.0.0.1:${silent.port}` }), place: place(name) };
    }
  }

  return {
    connect: () => connect({}),
    connectCut: async (cut) => {
      const options = redis.options.parse({ url: `redis://127.0.0.1:${server.port}` });
      const connection = createConnection(() => clientOptions(options, async () => ''));
      return createStore('redis', {
        transaction: (...args) => cut(() => connection.transaction(...args)),
        script: (...args) => cut(() => connection.script(...args)),
        close: () => connection.close(),
      });
    },
    connectThrough: async (via) => {
      const { host, port } = await via({ host: '127.0.0.1', port: server.port });
      return connect({ url: `redis://${host}:${port}` });
    },
    placeName: () => (layout === 'keys' ? `acme:${randomUUID()}:` : `acme:${randomUUID()}:settings`),
    write: async ({ name }, entries) => {
      const rendered = entries.map((entry) => redis.render(entry, fields));
      if (layout === 'hash') {
        await raw.del(name);
        if (rendered.length > 0) await raw.hset(name, new Map(rendered.map(({ key, text }) => [key, text])));
      } else if (layout === 'keys') {
        const stale = await entryKeys(name);
        if (stale.length > 0) await raw.del(stale);
        for (const { key, text } of rendered) await raw.set(name + key, text);
      } else if (entries.length === 0) await raw.del(name);
      else await raw.set(name, toJson(unflatten(entries)));
    },
    writeLedger: async ({ name }, text) => void (await raw.set(placeKeys(name).ledger, text)),
    look: async ({ name }) => {
      const keys = placeKeys(name);
      const undo = await pairs(keys.undo);
      const content =
        layout === 'hash'
          ? await pairs(name)
          : layout === 'json'
            ? [await raw.getBuffer(name)].flatMap((bytes) => (bytes === null ? [] : [bytes.toString('latin1')]))
            : await Promise.all((await entryKeys(name)).map(async (key) => [key.slice(name.length), await raw.get(key)]));
      return { content: content.length === 0 ? null : content, ledger: await raw.get(keys.ledger), undo: undo.length === 0 ? null : undo };
    },
    traceOfWrites: async () => {
      const stats = await raw.info('commandstats');
      return stats
        .split('\r\n')
        .filter((line) => /^cmdstat_(set|del|hset|hdel|pexpireat)[:|]/.test(line))
        .map((line) => line.replace(/,.*/, ''));
    },
    ...(layout === 'json' ? { spoil: async ({ name }: Place) => void (await raw.set(name, '{"a": ')) } : {}),
    fault,
    outage: {
      begin: () => server.kill(),
      end: async () => {
        server = await startRedis({ port: server.port });
        await raw.ping();
      },
    },
    stop: async () => {
      raw.disconnect();
      await Promise.all([server.stop(), silent.stop()]);
    },
  };
}
