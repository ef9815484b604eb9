import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { applyTarget } from '../../activities/apply-target.ts';
import type { PreparedTarget } from '../../activities/activity-types.ts';
import { prepare } from '../../activities/prepare.ts';
import { parseBundle } from '../../clients/bundle.ts';
import { sinkDefinitions } from '../../sinks/registry.ts';
import type { SinkDefinition } from '../../sinks/sink.ts';
import { pauseSignal, resumeSignal, driftWorkflowId } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { CONFIG_REPOSITORY, openStack, type Stack, type StackOptions } from './stack.ts';

// The invariants of the product by their numbers, on the whole product. I8 comes with secrets; I9 and kills of processes have files of their own.

const SCHEMA = '#Settings: { pool: { size: int & <=100 }, name: string, legacy?: {...} }\n';
const GOOD = { 'schemas/settings.cue': SCHEMA, 'settings/production.yaml': 'pool: { size: 5 }\nname: first\n' };

describeWith(['temporal', 'redis'], 'the invariants', () => {
  let redis: RedisServer;
  let client: Redis;
  let stack: Stack;
  let files: string;

  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
  });
  afterAll(async () => {
    client?.disconnect();
    await redis?.stop();
  });
  beforeEach(async () => {
    await client.flushall();
  });
  afterEach(async () => {
    await stack?.close();
  });

  async function open(rules: string, options: Partial<StackOptions> = {}): Promise<void> {
    stack = await openStack({ tenant: tenantYaml(redis.url, rules), ...options });
    files = join(stack.directory, 'files');
  }

  /** Every write that reached the server, by the commands that write. */
  async function writeCommands(): Promise<number> {
    const stats = await client.info('commandstats');
    return [...stats.matchAll(/cmdstat_(?:hset|hdel|set|del|eval|evalsha|fcall|unlink|rename):calls=(\d+)/g)].reduce(
      (sum, [, calls]) => sum + Number(calls),
      0,
    );
  }

  it('I1: one bad file among twenty good ones, and nothing is written anywhere', async () => {
    await open(`
  services:
    from: { repository: config, files: [ "services/*.yaml" ] }
    environments: { branches: { main: production } }
    schema: { file: schemas/services.cue }
    to: [ { sink: cache, place: "services:{env}" } ]
  settings:
    from: { repository: config, files: [ "settings/{env}.yaml" ] }
    environments: { branches: { main: production } }
    schema: { file: schemas/settings.cue, definition: "#Settings" }
    to: [ { sink: cache, place: "app:{env}" }, { sink: files, place: "{dir}/files/{env}.env" } ]`);
    const services = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`services/s${n}.yaml`, `s${n}: { port: ${8000 + n} }\n`]));
    const outcome = await stack.push({
      ...GOOD,
      ...services,
      'schemas/services.cue': 'package services\n[string]: { port: int & <9000 }\n',
      'services/bad.yaml': 'bad:\n  port: 70000\n',
    });
    expect(outcome.status).toBe('Rejected');
    expect(outcome.problems).toEqual([expect.stringMatching(/^rule services: services\/bad\.yaml:2:9 bad\.port: .*schemas\/services\.cue:2/) as string]);
    expect(await client.keys('*')).toEqual([]);
    expect(await readdir(files)).toEqual([]);
  });

  it('I2: a value that the schema does not allow is never written, and a rule without a schema has to say so', async () => {
    await open(SETTINGS);
    expect(await stack.push(GOOD)).toMatchObject({ status: 'Synced' });
    expect(await stack.push({ 'settings/production.yaml': 'pool: { size: 500 }\nname: second\n' })).toMatchObject({ status: 'Rejected' });
    expect(await stack.push({ 'settings/production.yaml': 'pool: { size: 6 }\nname: second\nextra: 1\n' })).toMatchObject({ status: 'Rejected' });
    expect(await client.hgetall('app:production')).toEqual({ 'pool.size': '5', name: 'first' });

    const silent = parseBundle(bundleText(SETTINGS.replace(/\n {4}schema:.*/, '')), 'vartrack.yaml', sinkDefinitions);
    expect(silent.problems.map(({ message }) => message).join('\n')).toMatch(/none if the values are to be written unchecked/);
  });

  it('I3: what cannot be read or is empty is an error and deletes nothing', async () => {
    await open(SETTINGS);
    expect(await stack.push(GOOD)).toMatchObject({ status: 'Synced' });
    const before = await client.hgetall('app:production');

    expect(await stack.push({ 'settings/production.yaml': '' })).toMatchObject({ status: 'Rejected' });
    expect(await stack.push({ 'settings/production.yaml': null })).toMatchObject({ status: 'Rejected' });
    // The same for a schema, a ledger and a repository.
    expect(await stack.push({ ...GOOD, 'schemas/settings.cue': null })).toMatchObject({ status: 'Rejected' });
    const commit = await stack.repository.commit({ ...GOOD, 'settings/production.yaml': 'pool: { size: 7 }\nname: third\n' });
    const ledgerKey = (await client.keys('*')).find((key) => key.endsWith(':vartrack'));
    const ledger = (await client.get(ledgerKey ?? '')) ?? '';
    await client.set(ledgerKey ?? '', ledger.slice(0, -5));
    expect(await stack.sync()).toMatchObject({ status: 'Rejected', commit });
    await client.set(ledgerKey ?? '', ledger);
    const bare = join(stack.directory, 'repository.git');
    await rename(bare, `${bare}.gone`);
    expect(await stack.sync()).toMatchObject({ status: 'Rejected' });
    expect(await client.hgetall('app:production')).toEqual(before);

    await rename(`${bare}.gone`, bare);
    expect(await stack.sync()).toMatchObject({ status: 'Synced', commit });
    expect(await client.hget('app:production', 'pool.size')).toBe('7');
  });

  it('I4: a key of somebody else next to ours survives writes, deletes and undoing, and one in the way is refused', async () => {
    await open(SETTINGS);
    await client.hset('app:production', 'foreign', 'theirs');
    await writeFile(join(files, 'neighbour.env'), 'THEIRS=1\n');
    expect(await stack.push({ ...GOOD, 'settings/production.yaml': 'pool: { size: 5 }\nname: first\nlegacy: { a: 1 }\n' })).toMatchObject({ status: 'Synced' });
    expect(await stack.push({ 'settings/production.yaml': 'pool: { size: 5 }\nname: first\n' })).toMatchObject({ status: 'Synced' });
    await writeFile(join(files, 'refuse'), '');
    expect(await stack.push({ 'settings/production.yaml': 'pool: { size: 8 }\nname: first\n' })).toMatchObject({ status: 'RolledBack' });
    expect(await client.hgetall('app:production')).toEqual({ 'pool.size': '5', name: 'first', foreign: 'theirs' });
    expect(await readFile(join(files, 'neighbour.env'), 'utf8')).toBe('THEIRS=1\n');

    await client.hset('app:production', 'legacy.b', 'theirs too');
    const held = await stack.push({ 'settings/production.yaml': 'pool: { size: 5 }\nname: first\nlegacy: { b: 2 }\n' });
    expect(held).toMatchObject({ status: 'Held' });
    expect(held.problems.join()).toMatch(/rule settings: cache app:production: .*legacy\.b/);
    expect(await client.hget('app:production', 'legacy.b')).toBe('theirs too');
  });

  it('I5: a place that does not read back what was written is never called Synced', async () => {
    await open(SETTINGS.replace('drift:', 'timeout: 3s\n    drift:'), { definitions: { ...sinkDefinitions, redis: forgetful(sinkDefinitions.redis) } });
    const outcome = await stack.push(GOOD);
    expect(outcome.status).not.toBe('Synced');
    expect(outcome.targets.find(({ sink }) => sink === 'cache')?.message).toMatch(/differed again at name/);
  });

  it('I6: when the second of two destinations fails for good, the first goes back to its exact prior values, and the run says why', async () => {
    await open(SETTINGS);
    expect(await stack.push({ ...GOOD, 'settings/production.yaml': 'pool: { size: 5 }\nname: first\nlegacy: { a: 1 }\n' })).toMatchObject({ status: 'Synced' });
    const before = await client.hgetall('app:production');
    const file = await readFile(join(files, 'production.env'), 'utf8');

    await writeFile(join(files, 'refuse'), '');
    const outcome = await stack.push({ 'settings/production.yaml': 'pool: { size: 6 }\nname: second\n' });
    expect(outcome.status).toBe('RolledBack');
    expect(outcome.summary).toMatch(/validate/);
    expect(outcome.targets).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ sink: 'cache', status: 'Restored', message: 'back to its prior values, read back' }),
        expect.objectContaining({ sink: 'files', status: 'Failed' }),
      ]),
    );
    expect(await client.hgetall('app:production')).toEqual(before);
    expect(await readFile(join(files, 'production.env'), 'utf8')).toBe(file);

    await rename(join(files, 'refuse'), join(files, 'refuse.not'));
    expect(await stack.sync()).toMatchObject({ status: 'Synced' });
    expect(await client.hgetall('app:production')).toEqual({ 'pool.size': '6', name: 'second' });
  });

  it('I6: a first write that fails half-way leaves the places absent, as they were', async () => {
    await open(SETTINGS);
    await writeFile(join(files, 'refuse'), '');
    expect(await stack.push(GOOD)).toMatchObject({ status: 'RolledBack' });
    expect(await client.exists('app:production')).toBe(0);
    expect(await readdir(files)).not.toContain('production.env');
  });

  it('I7: a late run for an older commit writes nothing over a newer one', async () => {
    await open(SETTINGS);
    const older = await stack.repository.commit(GOOD);
    const request = { id: 'late', trigger: 'push', ref: { kind: 'branch', name: 'main' } } as const;
    const names = { tenant: stack.tenant, repository: 'config', stream: 'main' };
    const { deps, close } = await stack.workerParts();
    try {
      // Prepared while the older commit was the head, as a worker that then hung would have.
      const prepared = await inActivity(() => prepare(deps, { ...names, request }));
      if (prepared.kind !== 'ready') throw new Error(`not ready: ${JSON.stringify(prepared)}`);
      expect(await stack.push({ 'settings/production.yaml': 'pool: { size: 9 }\nname: newer\n' })).toMatchObject({ status: 'Synced' });
      const before = await client.hgetall('app:production');

      const targets = prepared.rules.flatMap((rule) => rule.targets);
      const late = await Promise.all(
        targets.map((target: PreparedTarget) => inActivity(() => applyTarget(deps, { ...names, request, commit: older, target, write: 'late/1' }))),
      );
      expect(late.map(({ status }) => status)).toEqual(['Superseded', 'Superseded']);
      expect(await client.hgetall('app:production')).toEqual(before);
    } finally {
      await close();
    }
  });

  it('I10: an unchanged commit makes no write call at any sink', async () => {
    await open(SETTINGS);
    const commit = await stack.repository.commit(GOOD);
    const first = await stack.deliver(commit, { delivery: 'one' });
    expect(first.status).toBe(202);
    expect(await stack.outcomeOf('main', 'one')).toMatchObject({ status: 'Synced' });
    const [writes, keys, before] = [await writeCommands(), await client.keys('*'), await snapshotOf(files)];

    expect(await stack.deliver(commit, { delivery: 'one' })).toMatchObject({ status: 200 });
    await stack.deliver(commit, { delivery: 'two' });
    expect(await stack.outcomeOf('main', 'two')).toMatchObject({ status: 'Unchanged' });
    // Nor does a commit that touches nothing of the rule.
    expect(await stack.push({ 'README.md': 'hello\n' })).toMatchObject({ status: 'Unchanged' });
    expect(await writeCommands()).toBe(writes);
    expect(await client.keys('*')).toEqual(keys);
    expect(await snapshotOf(files)).toEqual(before);
  });

  it('I11: two rules for one key are refused at validation naming both, and a second tenant meets a conflict at run time', async () => {
    const twice = `${SETTINGS}\n${SETTINGS.replace('  settings:', '  other:')}`;
    const { problems } = parseBundle(bundleText(twice), 'vartrack.yaml', sinkDefinitions);
    expect(problems.map(({ message }) => message).join('\n')).toMatch(/settings.*other|other.*settings/);

    await open(SETTINGS);
    expect(await stack.push(GOOD)).toMatchObject({ status: 'Synced' });
    const before = await client.hgetall('app:production');
    const second = await openStack({ tenant: tenantYaml(redis.url, SETTINGS) });
    try {
      const outcome = await second.push({ ...GOOD, 'settings/production.yaml': 'pool: { size: 5 }\nname: stolen\n' });
      expect(outcome.status).toBe('Held');
      expect(outcome.problems.join()).toContain(`it belongs to ${stack.tenant}/settings (production)`);
      expect(await client.hgetall('app:production')).toEqual(before);
    } finally {
      await second.close();
    }
  });

  it('I12: a paused tenant is not written to, and resuming applies the newest commit', async () => {
    await open(SETTINGS);
    expect(await stack.push(GOOD)).toMatchObject({ status: 'Synced' });
    const watch = stack.temporal.client.workflow.getHandle(driftWorkflowId(stack.tenant));
    await watch.signal(pauseSignal, { by: 'ann', reason: 'maintenance' });
    const { deps, close } = await stack.workerParts();
    await expect.poll(() => deps.pauseOf(stack.tenant), { timeout: 10_000 }).not.toBeNull();
    await close();
    expect(await stack.push({ 'settings/production.yaml': 'pool: { size: 6 }\nname: paused\n' })).toMatchObject({ status: 'Parked' });
    expect(await stack.push({ 'settings/production.yaml': 'pool: { size: 7 }\nname: newest\n' })).toMatchObject({ status: 'Parked' });
    expect(await client.hget('app:production', 'name')).toBe('first');
    await watch.signal(resumeSignal, { by: 'ann' });
    await expect.poll(() => client.hget('app:production', 'name'), { timeout: 20_000 }).toBe('newest');
  });

  it('I13: a wrong input is told with file, line, column, key path, rule and constraint, all of it at once', async () => {
    await open(SETTINGS);
    const outcome = await stack.push({ ...GOOD, 'settings/production.yaml': 'pool:\n  size: 500\nname: 7\ntypo: 1\n' });
    expect(outcome.status).toBe('Rejected');
    const text = outcome.problems.join('\n');
    expect(text).toMatch(/rule settings: settings\/production\.yaml:2:9 pool\.size: .*500.*<=100.*\(schemas\/settings\.cue:1\)/);
    expect(text).toMatch(/settings\/production\.yaml:3:7 name: /);
    expect(text).toMatch(/settings\/production\.yaml:4:\d+ typo: .*not allowed/);
  });
});

const SETTINGS = `
  settings:
    from: { repository: config, files: [ "settings/{env}.yaml" ] }
    environments: { branches: { main: production } }
    schema: { file: schemas/settings.cue, definition: "#Settings" }
    to:
      - { sink: cache, place: "app:{env}" }
      - { sink: files, place: "{dir}/files/{env}.env", validate: "test ! -e {dir}/files/refuse" }
    drift: { mode: off }`;

function tenantYaml(redisUrl: string, rules: string): string {
  return `${CONFIG_REPOSITORY}
sinks:
  cache: { kind: redis, url: "${redisUrl}" }
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:${rules}`;
}

function bundleText(rules: string): string {
  const tenant = tenantYaml('redis://127.0.0.1:6379', rules).replaceAll('{dir}', '/srv').replaceAll('{repository}', 'https://git.example/config.git');
  return `apiVersion: vartrack.dev/v1\ntenants:\n  acme:\n${tenant
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')}\n`;
}

/** A sink that says that it wrote everything, and leaves one key out. */
function forgetful(real: SinkDefinition): SinkDefinition {
  return {
    ...real,
    render: (entry, fields) => real.render(entry, fields),
    placeProblem: (name, fields, options) => real.placeProblem(name, fields, options),
    identity: (name, fields) => real.identity(name, fields),
    limitProblem: (entries, fields) => real.limitProblem(entries, fields),
    async connect(options, resolve) {
      const sink = await real.connect(options, resolve);
      return {
        read: (place, context) => sink.read(place, context),
        apply: (place, plan, context) => sink.apply(place, { ...plan, puts: plan.puts.filter(({ entry }) => entry.key !== 'name') }, context),
        restore: (place, generation, context) => sink.restore(place, generation, context),
        close: () => sink.close(),
      };
    },
  };
}

async function snapshotOf(directory: string): Promise<readonly unknown[]> {
  const names = (await readdir(directory)).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const { mtimeMs, ino, size } = await stat(join(directory, name));
      return [name, mtimeMs, ino, size];
    }),
  );
}

function inActivity<T>(act: () => Promise<T>): Promise<T> {
  return new MockActivityEnvironment().run(act);
}
