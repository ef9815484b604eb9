import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createConnection, type Connection } from '../../../sinks/redis/connection.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../../servers/redis.ts';
import { failure } from '../contract/scenario.ts';

describeWith('redis', 'the connection of the redis sink', () => {
  let server: RedisServer;
  let raw: Redis;
  beforeAll(async () => {
    server = await startRedis({ password: 'first' });
    raw = new Redis({ host: server.host, port: server.port, password: 'first' });
  });
  afterAll(async () => {
    raw.disconnect();
    await server.stop();
  });

  function connect(commandTimeout = 5_000, password: () => string = () => 'first'): Connection {
    const connection = createConnection(async () => ({ host: server.host, port: server.port, password: password(), connectTimeout: 2_000, commandTimeout }));
    onTestFinished(() => connection.close());
    return connection;
  }

  const signal = AbortSignal.timeout(30_000);
  const clients = async () =>
    String(await raw.client('LIST'))
      .trim()
      .split('\n').length;

  test('does not dial before it is needed, and then once for all callers', async () => {
    const before = await clients();
    const connection = connect();
    expect(await clients()).toBe(before);
    await Promise.all(Array.from({ length: 20 }, () => connection.transaction('redis', [['GET', 'x']], signal)));
    expect(await clients()).toBe(before + 1);
    await connection.close();
    await expect.poll(clients).toBe(before);
  });

  test('keeps the transactions of concurrent callers apart', async () => {
    const connection = connect();
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        connection.transaction(
          'redis',
          [
            ['ECHO', `a${index}`],
            ['ECHO', `b${index}`],
          ],
          signal,
        ),
      ),
    );
    expect(replies.map((reply) => reply.map(String))).toEqual(replies.map((_, index) => [`a${index}`, `b${index}`]));
  });

  test('dials again when the server hung up', async () => {
    const connection = connect();
    await connection.transaction('redis', [['GET', 'x']], signal);
    await raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await expect.poll(() => connection.transaction('redis', [['ECHO', 'back']], signal).then(String, () => 'lost')).toBe('back');
  });

  test('reads the credentials anew for every connection', async () => {
    let password = 'first';
    const connection = connect(5_000, () => password);
    await connection.transaction('redis', [['GET', 'x']], signal);
    await raw.config('SET', 'requirepass', 'second');
    await raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await expect
      .poll(() => connection.transaction('redis', [['GET', 'x']], signal).then(String, (error: unknown) => (error as { reason: string }).reason))
      .toBe('unauthorized');
    password = 'second';
    expect(await connection.transaction('redis', [['ECHO', 'back']], signal).then(String)).toBe('back');
    await raw.config('SET', 'requirepass', 'first');
  });

  test('ends a call that is aborted, and goes on with the others', async () => {
    const connection = connect();
    await connection.transaction('redis', [['GET', 'x']], signal);
    await raw.call('CLIENT', 'PAUSE', '400', 'ALL');
    const abort = new AbortController();
    const aborted = failure(connection.transaction('redis', [['GET', 'x']], abort.signal), 'unavailable');
    const other = connection.transaction('redis', [['ECHO', 'other']], signal);
    abort.abort();
    await aborted;
    expect(String(await other)).toBe('other');
  });
});
