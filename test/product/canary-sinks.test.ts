import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createHmac, randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { requestResults } from '../../clients/sync-result.ts';
import { targetId } from '../../domain/drift.ts';
import { checkNowSignal, driftStateQuery, driftWorkflowId, syncWorkflowId } from '../../workflows/messages.ts';
import { collect, startVartrack, vartrack, type CliRun } from '../cli/vartrack.ts';
import { describeWith } from '../servers/describe-with.ts';
import { freePort } from '../servers/free-port.ts';
import { neededServers, startNineSinks, type NineSinks } from '../servers/nine-sinks.ts';
import type { OneSink } from '../servers/nine-sinks/one-sink.ts';
import { startTemporal, type TemporalServer } from '../servers/temporal.ts';
import { startVault, type VaultServer } from '../servers/vault.ts';
import { createLeakScan, type LeakScan } from './canary/leak-scan.ts';
import { lookAtDatabase, lookAtMirrors } from './canary/look-at-rest.ts';
import { makeSecrets } from './canary/shapes.ts';
import { watchChildren, type ChildWatch } from './canary/watch-children.ts';
import { eventTexts } from './event-texts.ts';
import { createRepository, type TestRepository } from './stack.ts';

const SERVERS = [...new Set(Object.values(neededServers).flat())];
const SLOW = { timeout: 60_000 };
const WITHIN = { timeout: 30_000, interval: 50 };
const api = join(import.meta.dirname, '../../api/main.ts');

/** Sinks that refuse after the others have been written: each says in its own way why, and may quote what it was given. */
const REFUSING = ['helm', 'linux', 'consul'] as const;
const good = makeSecrets();
const refused = Object.fromEntries(REFUSING.map((kind) => [kind, makeSecrets()])) as Readonly<
  Record<(typeof REFUSING)[number], Readonly<Record<string, string>>>
>;
/** What somebody puts in their place by hand. */
const foreign = makeSecrets();
const NAMES = Object.keys(good);
/** What a variable of an environment file can be. */
const OF_ONE_LINE = ['short', 'plain', 'unicode', 'spaces', 'likeUrl'];
/** By keys: the foreign values that come in their place, and one beside them. */
const EDITS = { plain: 'unicode', likeUrl: 'spaces', stranger: 'plain' };
/** Where any text may be. */
const MORE_EDITS = { quotes: 'likeJson', multiLine: 'multiLine', likeYaml: 'long', likeTemplate: 'dollars' };

describeWith(['temporal', 'vault', ...SERVERS], 'secrets of every shape at nine sinks', () => {
  const scan: LeakScan = createLeakScan({
    ...good,
    ...Object.fromEntries(Object.values({ ...EDITS, ...MORE_EDITS }).map((name) => [`foreign ${name}`, foreign[name] ?? ''])),
    ...Object.fromEntries(REFUSING.flatMap((kind) => Object.entries(refused[kind]).map(([name, value]) => [`${kind} ${name}`, value]))),
  });
  let directory: string;
  let nine: NineSinks;
  let vault: VaultServer;
  let temporal: TemporalServer;
  let client: Client;
  let repository: TestRepository;
  let env: Readonly<Record<string, string>>;
  let watch: ChildWatch;
  let metrics: readonly string[];
  const processes: { readonly name: string; readonly child: ChildProcess; readonly log: () => string }[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'vartrack-canary-'));
    await Promise.all(['tmp', 'home', 'cache'].map((name) => mkdir(join(directory, name))));
    [nine, vault, temporal, repository] = await Promise.all([
      startNineSinks(['production']),
      startVault(),
      startTemporal({ databaseFile: join(directory, 'temporal.db') }),
      createRepository(join(directory, 'repository')),
    ]);
    await vault.readPolicy('app', 'app/*');
    const [token] = await Promise.all([vault.token({ policies: ['app'], ttl: '1h' }), vault.put('app/shapes', good)]);
    await writeFile(join(directory, 'vartrack.yaml'), bundle());
    const ports = await Promise.all([freePort(), freePort()]);
    metrics = ports.map((port) => `http://127.0.0.1:${port}/metrics`);
    const [workerPort, apiPort] = ports.map(String) as [string, string];
    env = {
      ...nine.credentials,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: temporal.namespace,
      VARTRACK_BUNDLE: join(directory, 'vartrack.yaml'),
      VARTRACK_CACHE_DIR: join(directory, 'cache'),
      VARTRACK_API_HOST: '127.0.0.1',
      VARTRACK_API_PORT: '0',
      WEBHOOK_SECRET: 'webhook-secret',
      FINGERPRINT_KEY: 'a key for fingerprints',
      VAULT_TOKEN: token,
      LOG_LEVEL: 'trace',
      TMPDIR: join(directory, 'tmp'),
      HOME: join(directory, 'home'),
    };
    begin('worker', startVartrack(['worker'], { ...env, VARTRACK_METRICS_PORT: workerPort }));
    const { PATH = '' } = process.env;
    begin('api', spawn(process.execPath, [api], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH, ...env, VARTRACK_METRICS_PORT: apiPort } }));
    client = new Client({ connection: await Connection.connect({ address: temporal.address }), namespace: temporal.namespace });
    await vi
      .waitUntil(() => logOf('worker').includes('worker is polling') && logOf('api').includes('api is listening'), WITHIN)
      .catch((cause: unknown) => {
        throw new Error(`not started: ${logOf('worker')}\n${logOf('api')}`, { cause });
      });
    const pids = processes.map(({ child }) => child.pid ?? 0);
    watch = watchChildren({ roots: pids, directories: () => [join(directory, 'tmp'), ...scratchOf(pids)], look: scan.look });
  }, 120_000);

  afterAll(async () => {
    await watch?.stop();
    const gone = processes.map(({ child }) => (child.exitCode === null && child.signalCode === null ? once(child, 'close') : Promise.resolve([])));
    for (const { child } of processes) child.kill('SIGTERM');
    await Promise.all(gone);
    await client?.connection.close();
    await Promise.all([temporal?.stop(), vault?.stop(), nine?.stop()]);
    await rm(directory, { recursive: true, force: true });
  }, 60_000);

  function begin(name: string, child: ChildProcess): void {
    const [out, err] = [collect(child.stdout), collect(child.stderr)];
    processes.push({ name, child, log: () => out() + err() });
  }

  const logOf = (name: string): string => processes.find((each) => each.name === name)?.log() ?? '';

  function bundle(): string {
    const to = nine.sinks.map(({ kind, destination }) => {
      const isLinux = kind === 'linux';
      return { sink: kind, ...destination, ...(isLinux && { format: 'json', place: destination.place.replace('.env', '.json') }) };
    });
    const files = nine.sinks.filter(({ kind }) => kind === 'linux').map(({ kind, destination }) => ({ sink: kind, ...destination }));
    const others = otherLayouts(placeOfFile('{env}').replace('settings.env', ''));
    return `apiVersion: vartrack.dev/v1
settings: { allowFileRepositories: true, fingerprintKey: { env: FINGERPRINT_KEY } }
tenants:
  acme:
    repositories:
      config: { provider: generic, url: "${repository.url}", webhookSecret: { env: WEBHOOK_SECRET }, poll: off }
    secretManagers:
      vault: { kind: vault, address: "${vault.address}", auth: { method: token, token: { env: VAULT_TOKEN } } }
    sinks:
${nine.sinksYaml.replaceAll(/^/gm, '    ')}
    rules:
      shapes:
        from: { repository: config, files: [ shapes.yaml ] }
        environments: { branches: { main: production } }
        schema: { file: shapes.cue, definition: "#Shapes" }
        timeout: 40s
        to: ${JSON.stringify(to)}
        drift: { mode: warn, interval: 24h }
      lines:
        from: { repository: config, files: [ lines.yaml ] }
        environments: { branches: { main: production } }
        schema: none
        timeout: 40s
        to: ${JSON.stringify(files)}
        drift: { mode: heal, interval: 24h }
      layouts:
        from: { repository: config, files: [ shapes.yaml ] }
        environments: { branches: { main: production } }
        schema: { file: shapes.cue, definition: "#Shapes" }
        timeout: 40s
        to: ${JSON.stringify(others)}
        drift: { mode: heal, interval: 24h }
`;
  }

  /** Half of them by the file, half by the schema, and one within a longer text. */
  function files(): Readonly<Record<string, string>> {
    const isInFile = (index: number): boolean => index % 2 === 0;
    const fields = NAMES.map((name, index) => `\t${name}: string${isInFile(index) ? '' : ` @secret(app/shapes#${name})`}`);
    const values = NAMES.filter((_, index) => isInFile(index)).map((name) => `${name}: "@secret(app/shapes#${name})"`);
    return {
      'shapes.cue': `#Shapes: {\n${fields.join('\n')}\n\tinside: string\n}\n`,
      'shapes.yaml': `${values.join('\n')}\ninside: "a @secret(app/shapes#likeJson) b @secret(vault:app/shapes#likeShell) c"\n`,
      'lines.yaml': `${OF_ONE_LINE.map((name) => `${name}: "@secret(app/shapes#${name})"`).join('\n')}\n`,
    };
  }

  async function push(commit: string): Promise<unknown> {
    const delivery = randomUUID();
    const body = JSON.stringify({ repository: repository.url, ref: 'refs/heads/main', commit, by: 'ann' });
    const signature = createHmac('sha256', 'webhook-secret').update(body).digest('hex');
    const headers = { 'content-type': 'application/json', 'x-signature': `sha256=${signature}`, 'x-delivery': delivery };
    const url = /"url":"([^"]+)"/.exec(logOf('api'))?.[1];
    const answer = await fetch(`${url}/webhooks/acme/config`, { method: 'POST', headers, body });
    const text = await answer.text();
    expect(answer.status, text).toBe(202);
    scan.look('answers of the api', text, 'sync/acme/config/main');
    const { requests } = await requestResults(client.workflow.getHandle(syncWorkflowId('acme', 'config', 'main')));
    return requests.find(({ id }) => id === delivery)?.outcome;
  }

  async function command(...args: readonly string[]): Promise<CliRun> {
    const run = await vartrack(args, env);
    scan.look('output of the command line', run.stdout + run.stderr, 'acme');
    return run;
  }

  /** Which values are at a sink, by a person's eye: those that `of` has, and the kinds of sinks that do not have them all. */
  async function missing(of: Readonly<Record<string, string>>): Promise<readonly string[]> {
    const found = await Promise.all(
      nine.sinks.map(async (sink) => {
        const own = createLeakScan(of);
        own.look(sink.kind, JSON.stringify(await look(sink)));
        const there = new Set(own.leaks.map(({ secret }) => secret));
        return Object.keys(of).flatMap((name) => (there.has(name) ? [] : [`${sink.kind} ${name}`]));
      }),
    );
    return found.flat();
  }

  function placeOfFile(environment: string): string {
    const linux = nine.sinks.find(({ kind }) => kind === 'linux');
    return (linux?.destination.place ?? '').replace('{env}', environment);
  }

  async function editByHand(sink: OneSink): Promise<void> {
    const of = (names: Readonly<Record<string, string>>) => Object.fromEntries(Object.entries(names).map(([key, name]) => [key, foreign[name] ?? '']));
    if (sink.kind !== 'linux') return sink.edit('production', of({ ...EDITS, ...MORE_EDITS }));
    await sink.edit('production', of(EDITS));
    const path = placeOfFile('production').replace('.env', '.json');
    await writeFile(path, JSON.stringify({ ...(JSON.parse(await readFile(path, 'utf8')) as object), ...of({ ...EDITS, ...MORE_EDITS }) }));
  }

  async function whileRefused<T>(sink: OneSink | undefined, act: () => Promise<T>): Promise<T> {
    await sink?.refuseWrites('production');
    try {
      return await act();
    } finally {
      await sink?.allowWrites('production');
    }
  }

  it('are there after a push', SLOW, async () => {
    const outcome = await push(await repository.commit(files()));
    expect(outcome, JSON.stringify(outcome, null, 1)).toMatchObject({ status: 'Synced' });
    expect(await missing(good)).toEqual([]);
  });

  it('are back after somebody put other values in their place by hand, which is told without any of them', { timeout: 90_000 }, async () => {
    const before = (await Promise.all(nine.sinks.map(look))).map(withoutStranger);
    await Promise.all(nine.sinks.map(editByHand));
    expect(await missing(good)).toHaveLength(nine.sinks.length * (Object.keys({ ...EDITS, ...MORE_EDITS }).length - 1));
    // Rules of which nothing but drift is looked at, so that only the heals write.
    const ids = Object.keys(before).map((index) => targetId({ rule: 'shapes', environment: 'production', destination: Number(index) }));
    const watch = client.workflow.getHandle(driftWorkflowId('acme'));
    await watch.signal(checkNowSignal, { targets: [...ids, 'lines/production/0', 'layouts/production/0'] });
    await vi.waitFor(async () => {
      const { targets } = await watch.query(driftStateQuery);
      expect(Object.fromEntries(targets.filter(({ rule }) => rule === 'shapes').map(({ id, status, message }) => [id, message ?? status]))).toEqual(
        Object.fromEntries(ids.map((id) => [id, 'Drifted'])),
      );
    }, WITHIN);
    scan.look('the state of the watch', JSON.stringify(await watch.query(driftStateQuery)), 'likeTemplate');
    const { currentDetails } = await watch.query<{ readonly currentDetails: string }>('__temporal_workflow_metadata');
    scan.look('the page of the watch', currentDetails, '**Drifted**');
    const told = await Promise.all([command('drift', 'acme', '--json'), command('drift', 'acme'), command('status', 'acme')]);
    for (const { exitCode, stderr } of told) expect(exitCode, stderr).toBe(0);
    const healed = await command('heal', 'acme', ...ids, 'lines/production/0', '--json');
    expect(healed.exitCode, healed.stdout + healed.stderr).toBe(0);
    expect(await missing(good)).toEqual([]);
    expect((await Promise.all(nine.sinks.map(look))).map(withoutStranger)).toEqual(before);
    expect(scan.leaks).toEqual([]);
  });

  it.each(REFUSING)('are as before when %s refuses newer ones', SLOW, async (kind) => {
    const sink = nine.sinks.find((each) => each.kind === kind);
    const before = await Promise.all(nine.sinks.map(look));
    await vault.put('app/shapes', refused[kind]);
    const run = await whileRefused(sink, () => command('sync', 'acme', 'config', '--json'));
    expect(JSON.parse(run.stdout), run.stdout + run.stderr).toMatchObject({ outcome: { status: 'RolledBack' } });
    expect(await Promise.all(nine.sinks.map(look))).toEqual(before);
    expect(await missing(refused[kind])).toHaveLength(nine.sinks.length * NAMES.length);
  });

  it('are in no output of the command line, no answer and no metric', SLOW, async () => {
    await command('plan', 'acme', 'config', '--json');
    await command('status', 'acme', '--json');
    for (const [index, stands] of ['vartrack_drift_total', 'vartrack_webhooks_total'].entries()) {
      scan.look('metrics', await (await fetch(metrics[index] ?? '')).text(), stands);
    }
    expect(scan.leaks).toEqual([]);
  });

  it('are in no log, at the level of all that there is', () => {
    scan.look('the log of the worker', logOf('worker'), 'worker is polling');
    scan.look('the log of the api', logOf('api'), 'webhook');
    expect(scan.leaks).toEqual([]);
  });

  it('are in no argument, no environment and no temporary file of the programs that are called', async () => {
    await watch.stop();
    for (const name of ['helm', 'git', 'sh']) expect([...watch.programs].join(' ')).toContain(name);
    expect(scan.leaks).toEqual([]);
  });

  it('are in no Git mirror, and in nothing that stays in a home or temporary directory', async () => {
    expect(await lookAtMirrors(join(directory, 'cache'), scan.look)).toBe(1);
    for (const name of ['home', 'tmp']) {
      for (const entry of await readdir(join(directory, name), { recursive: true, withFileTypes: true })) {
        // A compiler's own program, 30 MB, put there before there was any secret.
        if (!entry.isFile() || entry.parentPath.includes('swc-native')) continue;
        scan.look('files that stay', await readFile(join(entry.parentPath, entry.name)));
      }
    }
    expect(scan.leaks).toEqual([]);
  });

  it('are in no history, and nowhere in the database of Temporal', SLOW, async () => {
    await lookAtTemporal(scan);
    expect(scan.leaks).toEqual([]);
  });

  it('would have been found there: a workflow that was given some is', SLOW, async () => {
    await client.workflow.start('nobody', {
      taskQueue: 'nobody',
      workflowId: 'planted',
      args: [`it is ${good['quotes']}, somebody made it ${foreign['unicode']}`],
    });
    const planted = createLeakScan({ ...good, foreign: foreign['unicode'] ?? '' });
    await lookAtTemporal(planted);
    expect(new Set(planted.leaks.map(({ secret }) => secret))).toEqual(new Set(['quotes', 'foreign']));
    expect(new Set(planted.leaks.map(({ place }) => place))).toEqual(new Set(['histories', "the database's file", "the database's cells"]));
  });

  async function lookAtTemporal(by: LeakScan): Promise<void> {
    for await (const { workflowId, runId } of client.workflow.list()) {
      by.look('histories', await eventTexts(client, workflowId, runId), workflowId);
      const { raw } = await client.workflow.getHandle(workflowId, runId).describe();
      by.look('descriptions of workflows', Buffer.from(JSON.stringify(raw)));
    }
    expect(by.looked.get('histories')).toBeGreaterThan(10_000);
    expect(await lookAtDatabase(join(directory, 'temporal.db'), by.look)).toBeGreaterThan(100);
  }
});

/** Beside the first of each kind, which the nine sinks have. */
function otherLayouts(folder: string): readonly object[] {
  return [
    { sink: 'redis', place: 'acme:{env}:keys:', layout: 'keys' },
    { sink: 'redis', place: 'acme:{env}:document', layout: 'json' },
    { sink: 's3', place: 'acme/{env}/keys/', layout: 'keys' },
    { sink: 's3', place: 'acme/{env}/settings.toml', format: 'toml' },
    { sink: 'consul', place: 'acme/{env}/document.yaml', layout: 'document', format: 'yaml' },
    { sink: 'zookeeper', place: '/acme/{env}/document', layout: 'document', format: 'properties' },
    { sink: 'mongodb', place: 'acme/{env}', layout: 'keys' },
    { sink: 'configmap', place: 'default/document-{env}/settings.yaml', layout: 'file' },
    { sink: 'linux', place: `${folder}settings.yaml`, format: 'yaml' },
    { sink: 'linux', place: `${folder}settings.toml`, format: 'toml' },
  ];
}

function withoutStranger(values: unknown): unknown {
  if (typeof values !== 'object' || values === null) return values;
  return Object.fromEntries(Object.entries(values).flatMap(([key, value]) => (key.toLowerCase() === 'stranger' ? [] : [[key, value]])));
}

/** What the driver keeps in memory for programs of these processes. */
function scratchOf(pids: readonly number[]): readonly string[] {
  const names = readdirSync('/dev/shm').filter((name) => name.startsWith('vartrack-') && pids.some((pid) => name.includes(`-${pid}-`)));
  return names.map((name) => join('/dev/shm', name));
}

async function look({ kind, destination, look: values }: OneSink): Promise<unknown> {
  // It is shown byte by byte.
  if (kind === 'zookeeper') return JSON.parse(Buffer.from(JSON.stringify(await values('production')), 'latin1').toString());
  if (kind !== 'linux') return values('production');
  return JSON.parse(await readFile(destination.place.replace('{env}', 'production').replace('.env', '.json'), 'utf8'));
}
