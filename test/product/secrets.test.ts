import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { requestResults } from '../../clients/sync-result.ts';
import { checkNowSignal, driftStateQuery, driftWorkflowId, pauseSignal, resumeSignal, syncStateQuery, syncWorkflowId } from '../../workflows/messages.ts';
import { environmentOf, vartrack } from '../cli/vartrack.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { startVault, type VaultServer } from '../servers/vault.ts';
import { eventTexts } from './event-texts.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from './stack.ts';

const SCHEMA = `
#Settings: {
	url:       string
	token:     string @secret(app/api#token)
	literal?:  string
	port?:     int
}
`;

const WITHIN = { timeout: 20_000, interval: 50 };
vi.setConfig({ testTimeout: 60_000 });

describeWith(['temporal', 'redis', 'vault'], 'a push with secrets', () => {
  let redis: RedisServer;
  let vault: VaultServer;
  let stack: Stack;
  let client: Redis;
  let proxy: Awaited<ReturnType<typeof startProxy>>;
  beforeAll(async () => {
    [redis, vault] = await Promise.all([startRedis(), startVault()]);
    client = new Redis(redis.url);
    await vault.readPolicy('app', 'app/*');
    await fill();
    proxy = await startProxy(vault.address);
    stack = await openStack({
      settings: 'fingerprintKey: { env: FINGERPRINT_KEY }',
      env: { FINGERPRINT_KEY: 'a key', VAULT_TOKEN: vault.rootToken },
      tenant: tenantBundle(redis.url, proxy.address),
    });
  });
  afterAll(async () => {
    await stack?.close();
    client?.disconnect();
    await Promise.all([redis?.stop(), proxy?.stop(), vault?.stop()]);
  });

  async function fill(): Promise<void> {
    await vault.put('app/db', { user: 'ann', password: 'p"1\n$x', port: 'many' });
    await vault.put('app/api', { token: 'token-1' });
  }

  const file = async (name = 'production'): Promise<unknown> => JSON.parse(await readFile(join(stack.directory, `files/${name}.json`), 'utf8'));
  const good = {
    'settings.cue': SCHEMA,
    'settings/production.yaml': `url: "db://@secret(app/db#user):@secret(vault:app/db#password)@h"\nliteral: '\\@secret(x'\n`,
  };

  it('gets its values at the sinks, and only there', async () => {
    expect(await stack.push(good)).toMatchObject({ status: 'Synced' });
    const wanted = { url: 'db://ann:p"1\n$x@h', token: 'token-1', literal: '@secret(x' };
    expect(await client.hgetall('app:production')).toEqual(wanted);
    expect(await file()).toEqual(wanted);
    const history = await historyOf(stack);
    expect(history).toContain('app/api');
    expect(history).not.toMatch(/token-1|p\\*"1/);
  });

  it('writes nothing when neither the commit nor a version changed (I10)', async () => {
    const before = await ledgers();
    expect(await stack.sync()).toMatchObject({ status: 'Unchanged' });
    expect(await ledgers()).toEqual(before);
  });

  it.each<[string, string, RegExp]>([
    [
      'a field that is not there',
      'url: "@secret(app/db#nothing)"\n',
      /rule settings: settings\/production\.yaml:1:6 url: .*app\/db#nothing: .*no field nothing/,
    ],
    [
      'a path that the bundle does not allow',
      'url: "@secret(other/db#user)"\n',
      /settings\/production\.yaml:1:6 url: the bundle does not allow vault:other\/db; .*: app\/\*\*/,
    ],
    ['a path that is not there', 'url: "@secret(app/nothing#x)"\n', /settings\/production\.yaml:1:6 url: .*no such secret/],
    ['a number wanted', 'url: x\nport: "@secret(app/db#port)"\n', /settings\/production\.yaml:2:7 port: .*int.*settings\.cue:\d/],
    ['a mistake in a reference', 'url: "x@secret(app/db)"\n', /settings\/production\.yaml:1:6 url: at character 2 .*names no #field/],
    ['the value itself in Git', 'url: x\ntoken: open-sesame\n', /settings\/production\.yaml:2:8 token: the schema takes it/],
  ])('is refused with its position, and nothing is written, for %s', async (_, yaml, problem) => {
    const before = await ledgers();
    const outcome = await stack.push({ ...good, 'settings/production.yaml': yaml });
    expect(outcome).toMatchObject({ status: 'Rejected', problems: [expect.stringMatching(problem)] });
    expect(JSON.stringify(outcome)).not.toContain('open-sesame');
    expect(await ledgers()).toEqual(before);
  });

  it('is refused for a path that the bundle does not allow in the schema, too', async () => {
    const outcome = await stack.push({ ...good, 'settings.cue': SCHEMA.replace('app/api', 'other/api') });
    expect(outcome).toMatchObject({ status: 'Rejected', problems: [expect.stringMatching(/token: the bundle does not allow vault:other\/api/)] });
  });

  it('is refused for a value that the schema does not take, where the rule asks', async () => {
    await stack.push(good);
    const before = await ledgers();
    await stack.reloadBundle(tenantBundle(redis.url, proxy.address, 'env').replace('    to:', '    constrain: value\n    to:'));
    const strict = SCHEMA.replace('token:     string', 'token:     =~"^[0-9]+$"');
    const outcome = await stack.push({ ...good, 'settings.cue': strict });
    const here = { ...environmentOf(stack), FINGERPRINT_KEY: 'a key', VAULT_TOKEN: vault.rootToken, TEMPORAL_ADDRESS: '127.0.0.1:9' };
    const planned = await vartrack(['plan', stack.tenant, 'config', 'main', '--local'], here);
    await stack.reloadBundle(tenantBundle(redis.url, proxy.address));
    expect(`${planned.stdout}${planned.stderr}`).toMatch(/rule settings: settings\.cue:\d+:\d+ token: /);
    expect(`${planned.stdout}${planned.stderr}`).not.toContain('token-1');
    expect(outcome).toMatchObject({ status: 'Rejected', problems: [expect.stringMatching(/^rule settings: settings\.cue:\d+:\d+ token: /)] });
    expect(JSON.stringify(outcome)).not.toContain('token-1');
    expect(await ledgers()).toEqual(before);
  });

  it('takes a newer version with the next run, and writes only that', async () => {
    await stack.push(good);
    await vault.put('app/api', { token: 'token-2' });
    const outcome = await stack.sync();
    expect(outcome).toMatchObject({ status: 'Synced' });
    expect(outcome.targets?.map(({ changes }) => changes?.keys)).toEqual([['token'], ['token']]);
    expect(await client.hget('app:production', 'token')).toBe('token-2');
    expect(await file()).toMatchObject({ token: 'token-2' });
  });

  it('stays at the version that a reference names', async () => {
    await vault.put('app/pinned', { x: 'one' });
    await vault.put('app/pinned', { x: 'two' });
    await stack.push({ ...good, 'settings/production.yaml': 'url: "@secret(app/pinned#x?version=1) and @secret(app/pinned#x)"\n' });
    expect(await client.hget('app:production', 'url')).toBe('one and two');
  });

  it('puts the prior secret back where another sink refuses the new one', async () => {
    await stack.push(good);
    // A Redis takes any bytes, an environment file no NUL.
    await stack.reloadBundle(tenantBundle(redis.url, proxy.address, 'env'));
    await vault.put('app/api', { token: 'token-3\u0000secret-tail' });
    const outcome = await stack.sync();
    expect(outcome).toMatchObject({ status: 'RolledBack' });
    expect(JSON.stringify(outcome)).not.toMatch(/token-3|secret-tail/);
    expect(await client.hget('app:production', 'token')).toBe('token-2');
    expect(await historyOf(stack)).not.toMatch(/token-3|secret-tail/);
  });

  it('waits for a Vault that is away', async () => {
    await vault.put('app/api', { token: 'token-4' });
    proxy.away = true;
    const commit = await stack.repository.commit({ ...good, 'settings/production.yaml': 'url: "again @secret(app/db#user)"\n' });
    expect((await stack.deliver(commit, { delivery: 'while-away' })).status).toBe(202);
    const pending = async (): Promise<string> => {
      const { raw } = await stack.temporal.client.workflow.getHandle(syncWorkflowId(stack.tenant, 'config', 'main')).describe();
      return JSON.stringify(raw.pendingActivities);
    };
    await vi.waitUntil(async () => (await pending()).includes('secret unavailable'), { timeout: 20_000, interval: 100 });
    proxy.away = false;
    expect(await stack.outcomeOf('main', 'while-away')).toMatchObject({ status: 'Synced' });
    expect(await client.hget('app:production', 'url')).toBe('again ann');
  });

  describe('that were rotated', () => {
    const [name, holder] = ['rotated', 'files/holder.env'];
    const run = () => stack.temporal.client.workflow.getHandle(syncWorkflowId(stack.tenant, 'config', name));
    const watch = () => stack.temporal.client.workflow.getHandle(driftWorkflowId(stack.tenant));
    const put = (password: string) => vault.put('app/rotated', { password });
    const written = async () => [await client.hgetall('holder'), await readFile(join(stack.directory, holder), 'utf8')];
    const both = (password: string) => [{ password, fixed: 'one' }, `FIXED=one\nPASSWORD=${password}\n`];

    /** Has everything looked at, and gives what the newest run of the stream came to. */
    async function check(): Promise<unknown> {
      const before = await watch().query(driftStateQuery);
      await watch().signal(checkNowSignal, {});
      await vi.waitFor(async () => {
        const { busy, checkedAt } = await watch().query(driftStateQuery);
        expect([busy, checkedAt === before.checkedAt]).toEqual([undefined, false]);
      }, WITHIN);
      const { requests } = await requestResults(run());
      return requests.at(-1);
    }

    it('are written by a check to exactly the targets that refer to them, and no other secret is read', async () => {
      await put('one');
      await vault.put('app/bystander', { token: 'still' });
      const reference = '@secret(app/rotated#password';
      const files = {
        'holder.yaml': `password: "${reference})"\nfixed: "${reference}?version=1)"\n`,
        'bystander.yaml': 'token: "@secret(app/bystander#token)"\n',
      };
      expect(await stack.push(files, name)).toMatchObject({ status: 'Synced' });
      await check();
      const bystander = async () => JSON.stringify(((await ledgers()) as [string][]).filter(([key]) => key.includes('bystander')));
      const before = await bystander();
      expect(before).toContain('still');
      await put('two');
      proxy.asked.splice(0);
      expect(await check()).toMatchObject({ trigger: 'rotation', outcome: { status: 'Synced', targets: [{ rule: 'holder' }, { rule: 'holder' }] } });
      expect(await written()).toEqual(both('two'));
      expect(await bystander()).toBe(before);
      // A value is read in the version of the run.
      const read = proxy.asked.filter((url) => url.includes('version=')).map((url) => url.replace(/^.*\/data\/|\?.*$/g, ''));
      expect(new Set(read)).toEqual(new Set(['app/rotated']));
    });

    it('are written by a later check where the run failed, because a sink was away for longer than it waits', async () => {
      await client.call('CLIENT', 'PAUSE', '60000', 'WRITE');
      await put('three');
      const failed = check();
      try {
        await vi.waitUntil(async () => (await run().query(syncStateQuery)).phase === 'restoring', WITHIN);
      } finally {
        await client.call('CLIENT', 'UNPAUSE');
      }
      expect(await failed).toMatchObject({ trigger: 'rotation', outcome: { status: 'RolledBack' } });
      expect(await written()).toEqual(both('two'));
      expect(await check()).toMatchObject({ trigger: 'rotation', outcome: { status: 'Synced' } });
      expect(await written()).toEqual(both('three'));
    });

    it('wait for the end of a pause', async () => {
      await watch().signal(pauseSignal, { by: 'ann', reason: 'a freeze' });
      await put('four');
      await check();
      expect(await written()).toEqual(both('three'));
      await watch().signal(resumeSignal, { by: 'ann' });
      await vi.waitFor(async () => expect(await written()).toEqual(both('four')), WITHIN);
      // While a run works on a target, nothing is said of it.
      await requestResults(run());
    });

    it('go back to the version before where one of the sinks does not take the newer one, until one comes that it takes', async () => {
      await put('five\u0000rest');
      expect(await check()).toMatchObject({ trigger: 'rotation', outcome: { status: 'RolledBack' } });
      expect(await written()).toEqual(both('four'));
      await put('six');
      expect(await check()).toMatchObject({ trigger: 'rotation', outcome: { status: 'Synced' } });
      expect(await written()).toEqual(both('six'));
    });
  });

  async function ledgers(): Promise<unknown> {
    const keys = (await client.keys('*')).toSorted();
    return Promise.all(keys.map(async (key) => [key, (await client.type(key)) === 'hash' ? await client.hgetall(key) : await client.get(key)]));
  }
});

/** Files in `format`, of one line for each value where it is env, which does not take every secret. */
function tenantBundle(redisUrl: string, vaultAddress: string, format: 'json' | 'env' = 'json'): string {
  return `
${CONFIG_REPOSITORY}
secretManagers:
  vault: { kind: vault, address: "${vaultAddress}", paths: [ "app/**" ], auth: { method: token, token: { env: VAULT_TOKEN } } }
sinks:
  cache: { kind: redis, url: "${redisUrl}" }
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:
  settings:
    from: { repository: config, files: [ "settings/{env}.yaml" ] }
    environments: { branches: { main: production, other: staging } }
    schema: { file: settings.cue, definition: "#Settings" }
    to:
      - { sink: cache, place: "app:{env}" }
      - { sink: files, place: "{dir}/files/{env}.${format}", format: ${format} }
    drift: { interval: 12h }
  holder:
    from: { repository: config, files: [ holder.yaml ] }
    environments: { branches: { rotated: rotated } }
    schema: none
    timeout: 2s
    to: [ { sink: cache, place: holder }, { sink: files, place: "{dir}/files/holder.env", format: env } ]
    drift: { interval: 12h }
  bystander:
    from: { repository: config, files: [ bystander.yaml ] }
    environments: { branches: { rotated: rotated } }
    schema: none
    to: [ { sink: cache, place: bystander } ]
    drift: { interval: 12h }
`;
}

async function historyOf({ temporal, tenant }: Stack): Promise<string> {
  const text = await eventTexts(temporal.client, syncWorkflowId(tenant, 'config', 'main'));
  return text.replaceAll('\\', '');
}

/** Passes requests on, or hangs up on them. */
async function startProxy(target: string): Promise<{ readonly address: string; readonly asked: string[]; away: boolean; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (proxy.away) return void request.socket.destroy();
    proxy.asked.push(request.url ?? '');
    const headers = { 'x-vault-token': String(request.headers['x-vault-token'] ?? '') };
    void fetch(`${target}${request.url}`, { method: request.method ?? 'GET', headers }).then(async (answer) => {
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const proxy = {
    address: `http://127.0.0.1:${port}`,
    asked: [] as string[],
    away: false,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}
