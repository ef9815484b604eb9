import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createSinkPool } from '../../activities/sink-pool.ts';
import { parseBundle } from '../../clients/bundle.ts';
import { createCredentials } from '../../clients/credentials.ts';
import { createFingerprint } from '../../clients/fingerprint.ts';
import { sinkDefinitions } from '../../sinks/registry.ts';
import type { Place } from '../../sinks/sink.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { startVault, type VaultServer } from '../servers/vault.ts';

let vault: VaultServer;
let redis: RedisServer;
let admin: Redis;

beforeAll(async () => {
  [vault, redis] = await Promise.all([startVault(), startRedis({ password: 'admin' })]);
  admin = new Redis({ host: redis.host, port: redis.port, password: 'admin' });
});

afterAll(async () => {
  admin.disconnect();
  await Promise.all([vault.stop(), redis.stop()]);
});

test('a sink that is dropped because its password of Vault was rotated connects with the new one at once', async () => {
  const { bundle, problems } = parseBundle(
    `apiVersion: vartrack.dev/v1
settings: { fingerprintKey: { env: TOKEN } }
tenants:
  acme:
    secretManagers:
      vault: { kind: vault, address: "${vault.address}", auth: { method: token, token: { env: TOKEN } } }
    sinks:
      cache: { kind: redis, url: "redis://127.0.0.1:${redis.port}/0", username: writer, password: { vault: "vault:sinks/redis#password" } }
`,
    'vartrack.yaml',
    sinkDefinitions,
  );
  if (!bundle) throw new Error(JSON.stringify(problems));
  const credentials = createCredentials({ env: { TOKEN: vault.rootToken }, baseDirectory: '/' }, () => bundle);
  const pool = createSinkPool(sinkDefinitions, credentials.resolve);
  const place: Place = { name: 'app', layout: 'hash', fields: { layout: 'hash' } };
  const context = { signal: AbortSignal.timeout(30_000), keys: ['a'], fingerprint: createFingerprint(undefined) };
  const read = async () => (await pool.get(bundle, 'acme', 'cache')).read(place, context);
  async function rotate(password: string): Promise<void> {
    await admin.acl('SETUSER', 'writer', 'reset', 'on', `>${password}`, '~*', '+@all');
    await admin.client('KILL', 'USER', 'writer');
    await vault.put('sinks/redis', { password });
  }

  try {
    await rotate('first');
    expect((await read()).entries.size).toBe(0);
    await rotate('second');
    await expect
      .poll(
        async () =>
          read().then(
            () => 'read',
            (error: { reason?: string }) => error.reason,
          ),
        { timeout: 20_000 },
      )
      .toBe('unauthorized');
    pool.drop('acme', 'cache');
    expect((await read()).entries.size).toBe(0);
  } finally {
    await pool.close();
    await credentials.close();
  }
});
