import { readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import { unflatten } from '../../../domain/flatten.ts';
import { toJson } from '../../../domain/value.ts';
import { redis } from '../../../sinks/redis.ts';
import { placeKeys } from '../../../sinks/redis/place-keys.ts';
import type { Place, Sink } from '../../../sinks/sink.ts';
import type { Bench, Fault } from '../contract.ts';
import { startSilentServer } from '../silent-server.ts';

export type Layout = 'hash' | 'keys' | 'json';

/** What a leg of the contract runs against: any number of servers that together are one. */
export interface Stage {
  readonly raw: Redis | Cluster;
  /** A client of each server that takes writes. */
  readonly servers: readonly Redis[];
  /** Options of the sink without credentials; at another port, those of a sink that finds nobody, or somebody silent, there. */
  options(port?: number): Readonly<Record<string, unknown>>;
  readonly outage?: Bench['outage'];
  stop(): Promise<void>;
}

/** The bench of any stage. The sink's user may do exactly what docs/sinks/redis.md says. */
export async function createBench(layout: Layout, stage: Stage): Promise<Bench> {
  const { raw, servers } = stage;
  const silent = await startSilentServer();
  const fields = { layout };
  const place = (name: string): Place => ({ name, layout, fields });

  async function connect(username: string, secret: string, port?: number): Promise<Sink> {
    const options = { connectTimeout: '1s', commandTimeout: '2s', username, password: { env: 'P' }, ...stage.options(port) };
    return redis.connect(redis.options.parse(options), async (reference) => ('env' in reference && reference.env === 'P' ? secret : readCredential(reference)));
  }

  async function addUser(...rules: readonly string[]): Promise<string> {
    const username = `user-${randomUUID()}`;
    await Promise.all(servers.map((server) => server.call('ACL', 'SETUSER', username, 'on', '>secret', ...rules)));
    return username;
  }

  // The places have random names, and the page asks for each prefix.
  const documented = [...(await documentedRules()), ...(layout === 'keys' ? ['allchannels'] : [])];
  let user = await addUser(...documented);

  async function entryKeys(name: string): Promise<readonly string[]> {
    const found = await Promise.all(servers.map((server) => server.keys(`${name}*`)));
    const ours = Object.values<string>({ ...placeKeys(name) });
    return found
      .flat()
      .filter((key) => key.startsWith(name) && !ours.includes(key))
      .toSorted();
  }

  async function pairs(key: string): Promise<readonly string[]> {
    // Not hgetall(): its object would lose a field named __proto__.
    const flat = (await raw.call('HGETALL', key)) as string[];
    return flat.flatMap((name, index) => (index % 2 === 0 ? [JSON.stringify([name, flat[index + 1]])] : [])).toSorted();
  }

  async function contentOf(name: string): Promise<readonly unknown[]> {
    if (layout === 'hash') return pairs(name);
    if (layout === 'json') return [await raw.getBuffer(name)].flatMap((bytes) => (bytes === null ? [] : [bytes.toString('latin1')]));
    return Promise.all((await entryKeys(name)).map(async (key) => [key.slice(name.length), await raw.get(key)]));
  }

  async function fault(which: Fault): Promise<{ readonly sink: Sink; readonly place: Place }> {
    const at = place(layout === 'keys' ? `{denied:${randomUUID()}}:` : `denied:${randomUUID()}`);
    const helpers = documented.filter((rule) => rule.startsWith('+'));
    switch (which) {
      case 'wrong-credentials':
        return { sink: await connect(user, 'wrong'), place: at };
      case 'no-permission':
        return { sink: await connect(await addUser('~elsewhere:*', ...helpers), 'secret'), place: at };
      case 'read-only':
        return { sink: await connect(await addUser('%R~*', ...helpers), 'secret'), place: at };
      case 'gone':
        return { sink: await connect(user, 'secret', 1), place: at };
      case 'silent':
        return { sink: await connect(user, 'secret', silent.port), place: at };
    }
  }

  const { outage } = stage;
  return {
    connect: () => connect(user, 'secret'),
    placeName: () => (layout === 'keys' ? `{acme:${randomUUID()}}:` : `acme:${randomUUID()}:settings`),
    write: async ({ name }, entries) => {
      const rendered = entries.map((entry) => redis.render(entry, fields));
      for (const key of layout === 'keys' ? await entryKeys(name) : [name]) await raw.del(key);
      if (rendered.length === 0) return;
      if (layout === 'hash') await raw.hset(name, new Map(rendered.map(({ key, text }) => [key, text])));
      else if (layout === 'json') await raw.set(name, toJson(unflatten(entries)));
      else for (const { key, text } of rendered) await raw.set(name + key, text);
    },
    writeLedger: async ({ name }, text) => void (await raw.set(placeKeys(name).ledger, text)),
    look: async ({ name }) => {
      const keys = placeKeys(name);
      const [content, undo] = [await contentOf(name), await pairs(keys.undo)];
      return { content: content.length === 0 ? null : content, ledger: await raw.get(keys.ledger), undo: undo.length === 0 ? null : undo };
    },
    traceOfWrites: async () => {
      const stats = await Promise.all(servers.map((server) => server.info('commandstats')));
      return stats.map((each) =>
        each
          .split('\r\n')
          .filter((line) => /^cmdstat_(set|del|hset|hdel|pexpireat)[:|]/.test(line))
          .map((line) => line.replace(/,.*/, '')),
      );
    },
    ...(layout === 'json' ? { spoil: async ({ name }: Place) => void (await raw.set(name, '{"a": ')) } : {}),
    fault,
    ...(outage && {
      outage: {
        begin: () => outage.begin(),
        end: async () => {
          await outage.end();
          // The servers came back without their users.
          const again = await addUser(...documented);
          await Promise.all(servers.map((server) => server.call('ACL', 'SETUSER', user, 'on', '>secret', ...documented)));
          user = again;
        },
      },
    }),
    stop: async () => {
      raw.disconnect();
      await Promise.all([stage.stop(), silent.stop()]);
    },
  };
}

async function readCredential(reference: object): Promise<string> {
  if ('file' in reference) return readFile(String(reference.file), 'utf8');
  if ('env' in reference) return String(reference.env);
  throw new Error('not a reference of these tests');
}

/** Of the command in docs/sinks/redis.md, for places below `acme:`. */
export async function documentedRules(): Promise<readonly string[]> {
  const page = await readFile(new URL('../../../docs/sinks/redis.md', import.meta.url), 'utf8');
  const line = /^ACL SETUSER vartrack on >PASSWORD (.+)$/m.exec(page)?.[1];
  if (line === undefined) throw new Error('docs/sinks/redis.md has no ACL');
  return line.split(' ');
}
