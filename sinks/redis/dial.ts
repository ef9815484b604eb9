import type { Redis, RedisOptions as ClientOptions } from 'ioredis';
import { NOT_PRIMARY, TIMED_OUT } from './redis-error.ts';

/**
 * A client of one server that is connected, and never again by itself. With the role `master` among the options, a server that is a replica now is not
 * used. The library is loaded when the first is dialled. Throws its errors.
 *
 * @param onClient gets the client before it is connected, to disconnect it where nobody waits for it any more
 */
export async function dial({ db = 0, role, ...options }: ClientOptions, onClient: (client: Redis) => void): Promise<Redis> {
  const { Redis } = await import('ioredis');
  const settings = {
    ...options,
    // Without RESP3's HELLO, a refused password is one plain error of AUTH.
    protocol: 2,
    replyMapping: 'legacy',
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
    // Of a server that does not say good-bye; until then a call that found it silent is not told.
    disconnectTimeout: 100,
  } satisfies ClientOptions;
  const client = new Redis(settings);
  onClient(client);
  let fault: Error | undefined;
  client.on('error', (error: Error) => (fault ??= error));
  // The client's own limit ends with the TCP connection; a server that then says nothing to AUTH is as gone as one that never answered.
  const limit = setTimeout(() => {
    fault ??= new Error(TIMED_OUT);
    client.disconnect();
  }, options.connectTimeout);
  try {
    await client.connect();
    // Left to ioredis, a SELECT that fails is only an event, and what follows is written to database 0.
    if (db !== 0) await client.select(db);
    if (role === 'master' && String((await client.role())[0]) !== 'master') throw new Error(NOT_PRIMARY);
    return client;
  } catch (error) {
    client.disconnect();
    // What connect() rejects with says only that it closed.
    throw fault ?? error;
  } finally {
    clearTimeout(limit);
  }
}
