import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { CreateBucketCommand, GetObjectCommand } from '@aws-sdk/client-s3';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { formsOf } from '../../domain/redact.ts';
import { checkNowSignal, driftStateQuery, driftWorkflowId, pauseSignal, resumeSignal } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { freePort } from '../servers/free-port.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { startSeaweed, type SeaweedServer } from '../servers/seaweedfs.ts';
import { startTemporal, type TemporalServer } from '../servers/temporal.ts';
import { startVault, type VaultServer } from '../servers/vault.ts';
import { eventTexts } from './event-texts.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from './stack.ts';

const core = (): string => randomBytes(8).toString('hex');
const SECRETS: Readonly<Record<string, string>> = {
  short: core().slice(0, 9),
  long: `${core()}${'x'.repeat(20_000)}${core()}`,
  lines: `-----BEGIN CANARY-----\n${core()}${core()}\n${core()}\n-----END CANARY-----\n`,
  unicode: `пароль-${core()}-𝕊ecret-é`,
  quotes: `a"b'c\`${core()}"'`,
  dollars: `$HOME $(id) \${x} ${core()} $1 $&`,
  backslashes: `C:\\new\\${core()}\\t\\\\`,
  json: `{"key": ["${core()}", null]}`,
  yaml: `- &a ${core()}: *a # no`,
  shell: `'; rm -rf ${core()} | tee & #`,
  percent: `%41%${core()}+&=;`,
};
const names = Object.keys(SECRETS);
/** What somebody puts in their place by hand. */
const FOREIGN: Readonly<Record<string, string>> = { short: core(), quotes: `"'${core()}'"`, lines: `${core()}\n${core()}`, beside: core() };
/** Every text that would give one away: the whole, its random part, and both encoded. */
const FORBIDDEN: readonly string[] = [...Object.values(SECRETS), ...Object.values(FOREIGN)].flatMap((value) =>
  [value, ...(value.match(/[0-9a-f]{9,}/g) ?? [])].flatMap(formsOf),
);

/** Which forbidden texts are in a text, shortened: a failing test must not print them whole either. */
function leaksIn(where: string, text: string): string[] {
  return FORBIDDEN.filter((form) => text.includes(form)).map((form) => `${where}: ${form.slice(0, 24)}`);
}

describeWith(['temporal', 'redis', 'vault', 'seaweedfs'], 'secrets (I8)', () => {
  let redis: RedisServer;
  let vault: VaultServer;
  let s3: SeaweedServer;
  let temporal: TemporalServer;
  let stack: Stack;
  let client: Redis;
  let worker: ChildProcess;
  let scratch: string;
  let metricsPort: number;
  let watching = true;
  let watch: Promise<void>;
  let logs = '';
  const commandLines = new Set<string>();
  const environment = (): Record<string, string> => ({
    PATH: process.env['PATH'] ?? '',
    HOME: scratch,
    TMPDIR: join(scratch, 'tmp'),
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    VARTRACK_BUNDLE: join(stack.directory, 'vartrack.yaml'),
    VARTRACK_TASK_QUEUE: `test-${stack.tenant}`,
    VARTRACK_CACHE_DIR: join(scratch, 'cache'),
    VARTRACK_METRICS_PORT: String(metricsPort),
    LOG_LEVEL: 'trace',
    STACK_WEBHOOK_SECRET: 'webhook-secret',
    ...credentials(),
  });
  const credentials = (): Record<string, string> => ({ FINGERPRINT_KEY: 'k', VAULT_TOKEN: vault.rootToken, S3_ID: 'admin', S3_SECRET: 'admin-secret' });

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'vartrack-canary-'));
    await mkdir(join(scratch, 'tmp'));
    [redis, vault, s3, temporal, metricsPort] = await Promise.all([
      startRedis(),
      startVault(),
      startSeaweed(),
      startTemporal({ databaseFile: join(scratch, 'temporal.db') }),
      freePort(),
    ]);
    client = new Redis(redis.url);
    await s3.client.send(new CreateBucketCommand({ Bucket: 'canary' }));
    await vault.put('app/values', { ...SECRETS });
    stack = await openStack({
      temporal,
      settings: 'fingerprintKey: { env: FINGERPRINT_KEY }',
      env: credentials(),
      tenant: `
${CONFIG_REPOSITORY}
secretManagers:
  vault: { kind: vault, address: "${vault.address}", auth: { method: token, token: { env: VAULT_TOKEN } } }
sinks:
  cache: { kind: redis, url: "${redis.url}" }
  objects: { kind: s3, endpoint: "${s3.endpoint}", forcePathStyle: true, credentials: { accessKeyId: { env: S3_ID }, secretAccessKey: { env: S3_SECRET } } }
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:
  good:
    from: { repository: config, files: [ "settings.yaml" ] }
    environments: { branches: { main: production } }
    schema: { file: settings.cue, definition: "#Settings" }
    to:
      - { sink: cache, place: "good" }
      - { sink: objects, place: "canary/good.yaml", format: yaml }
      - { sink: files, place: "{dir}/files/good.json", format: json, commandTimeout: 5s, validate: "test ! -e {dir}/hold || { touch {dir}/held; sleep 20; }" }
  bad:
    from: { repository: config, files: [ "settings.yaml" ] }
    environments: { branches: { bad: staging } }
    schema: none
    to:
      - { sink: cache, place: "bad" }
      - { sink: objects, place: "canary/bad/", layout: keys }
      - { sink: files, place: "{dir}/files/bad.env", format: env }
`,
    });
    // The worker of the product, as a process: its log, its children and its temporary files are its own.
    await stack.stopWorker();
    worker = startWorker();
    watch = watchCommandLines(commandLines, () => watching);
  }, 120_000);
  afterAll(async () => {
    watching = false;
    await watch;
    if (worker?.exitCode === null) {
      worker.kill('SIGTERM');
      await once(worker, 'exit');
    }
    await stack?.close();
    client?.disconnect();
    await Promise.all([redis?.stop(), vault?.stop(), s3?.stop(), temporal?.stop()]);
    await rm(scratch, { recursive: true, force: true });
  });

  function startWorker(): ChildProcess {
    const child = spawn(process.execPath, ['worker/main.ts'], { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (logs += chunk.toString()));
    return child;
  }

  const [hold, held] = ['hold', 'held'] as const;
  const inStack = (name: string): string => join(stack.directory, name);

  /** A push whose write of the file hangs until its time is over. */
  async function pushInTime(settings: string): Promise<unknown> {
    await writeFile(inStack(hold), '');
    const outcome = await push(settings);
    await rm(inStack(held));
    return outcome;
  }

  /** A push whose worker is killed in the middle of its write of the file. */
  async function pushThroughKill(settings: string): Promise<unknown> {
    const outcome = push(settings);
    await vi.waitUntil(() => existsSync(inStack(held)), { timeout: 60_000, interval: 20 });
    worker.kill('SIGKILL');
    await once(worker, 'exit');
    await rm(inStack(hold));
    worker = startWorker();
    return outcome;
  }

  const document = (fields: readonly string[], more = ''): string =>
    `${more}values:\n${fields.map((name) => `  ${name}: "@secret(app/values#${name})"\n  in_${name}: "<@secret(app/values#${name})>"\n`).join('')}`;
  const push = (settings: string, branch = 'main') =>
    stack.push({ 'settings.cue': '#Settings: { values: [string]: string, port?: int }\n', 'settings.yaml': settings }, branch);

  it('are at the sinks and nowhere else, whatever becomes of a push', { timeout: 240_000 }, async () => {
    const outcomes = [
      await push(document(names)),
      await push(document(names, 'port: "@secret(app/values#short)"\n')),
      await push(document([...names, 'nothing'])),
      await push(document(['short']), 'bad'),
      // An environment file takes no text with both kinds of quotes, which only the write can see.
      await push(document(names), 'bad'),
    ];
    expect(outcomes.map(({ status }) => status)).toEqual(['Synced', 'Rejected', 'Rejected', 'Synced', 'RolledBack']);
    const stored = await client.hgetall('good');
    expect(stored).toEqual(
      Object.fromEntries(
        names.flatMap((name) => [
          [`values.${name}`, SECRETS[name]],
          [`values.in_${name}`, `<${SECRETS[name]}>`],
        ]),
      ),
    );
    const object = await s3.client.send(new GetObjectCommand({ Bucket: 'canary', Key: 'good.yaml' }));
    expect(await object.Body?.transformToString()).toContain(SECRETS['short']);
    expect(await client.hgetall('bad')).toEqual({ 'values.short': SECRETS['short'], 'values.in_short': `<${SECRETS['short']}>` });

    const more = `${document(names)}  again: "<@secret(app/values#long)>"\n`;
    const interrupted = [await pushInTime(more), await pushThroughKill(`# once more\n${more}`)];
    expect(interrupted).toMatchObject([{ status: 'RolledBack' }, { status: 'Synced' }]);
    expect(await client.hget('good', 'values.again')).toBe(`<${SECRETS['long']}>`);

    // By hand, where a key is its own and where a document is; what the drift looked like is told before it is healed.
    const [place, path] = ['good', inStack('files/good.json')];
    const drifted = Object.fromEntries(Object.entries(FOREIGN).map(([name, value]) => [`values.${name}`, value]));
    const watching = stack.temporal.client.workflow.getHandle(driftWorkflowId(stack.tenant));
    await watching.signal(pauseSignal, { by: 'ann', reason: 'to look' });
    await client.hset(place, drifted);
    await writeFile(path, JSON.stringify({ values: FOREIGN }));
    await watching.signal(checkNowSignal, { targets: [0, 2].map((index) => `good/production/${index}`) });
    await vi.waitUntil(async () => (await watching.query(driftStateQuery)).targets.filter(({ status }) => status === 'Drifted').length === 2, {
      timeout: 30_000,
      interval: 100,
    });
    const told = [JSON.stringify(await watching.query(driftStateQuery)), await cli('drift', stack.tenant, '--json')];
    for (const text of told) expect(text).toContain('values.lines');
    await watching.signal(resumeSignal, { by: 'ann' });
    const healed = await cli('heal', stack.tenant, '--json');
    expect(healed).toContain('"InSync"');
    expect(await client.hgetall(place)).toEqual({ ...stored, 'values.again': `<${SECRETS['long']}>`, 'values.beside': FOREIGN['beside'] });
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ values: { short: SECRETS['short'], again: `<${SECRETS['long']}>` } });

    const plans = [['bad'], ['bad', '--local'], ['main']].map((args) => cli('plan', stack.tenant, 'config', ...args));
    const answers = await Promise.all([...plans, cli('status')]);
    for (const answer of answers.slice(0, 2)) expect(answer).toContain('[secret]');
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    expect(metrics).toContain('vartrack');
    expect(logs).toContain('worker is polling');
    expect([...commandLines].join('\n')).toContain('cat-file');
    const leaks = [
      ...leaksIn('outcomes', JSON.stringify([...outcomes, ...interrupted])),
      ...leaksIn('command line', answers.join('\n')),
      ...leaksIn('drift', [...told, healed].join('\n')),
      ...leaksIn('metrics', metrics),
      ...(await leftLeaks()),
    ];
    expect(leaks).toEqual([]);
  });

  it('would be found where they leaked: in a history, in a file, in an argument, in a log', { timeout: 60_000 }, async () => {
    const value = SECRETS['dollars'] ?? '';
    await stack.sync({ by: value });
    await writeFile(join(scratch, 'tmp', 'dump'), Buffer.from(value).toString('base64'));
    const child = spawn(process.execPath, ['-e', 'setTimeout(String, 60_000)', encodeURIComponent(value)], { stdio: 'ignore' });
    logs += JSON.stringify({ value });
    await vi.waitUntil(() => [...commandLines].some((line) => line.includes('setTimeout(String')), { timeout: 10_000 });
    child.kill();
    const found = await leftLeaks();
    for (const where of ['history', 'file', 'process', 'log', 'database']) expect(found.some((leak) => leak.startsWith(where))).toBe(true);
  });

  /** Everything that lies about after a run. */
  async function leftLeaks(): Promise<string[]> {
    const found = [...leaksIn('log', logs), ...leaksIn('process', [...commandLines].join('\n'))];
    let runs = 0;
    for await (const { workflowId, runId } of stack.temporal.client.workflow.list()) {
      runs++;
      found.push(...leaksIn(`history of ${workflowId}`, await eventTexts(stack.temporal.client, workflowId, runId)));
    }
    expect(runs).toBeGreaterThan(1);
    const files = [...(await filesBelow(scratch)), ...(await filesBelow(join(stack.directory)))].filter(
      (file) => !file.startsWith(join(stack.directory, 'files')),
    );
    expect(files.some((file) => file.includes('/cache/'))).toBe(true);
    for (const file of files) {
      const kind = file.includes('temporal.db') ? 'database' : 'file';
      // Byte for byte, so that text in binary files is found.
      const bytes = await readFile(file).catch(() => Buffer.alloc(0));
      found.push(...FORBIDDEN.filter((form) => bytes.includes(form)).map((form) => `${kind} ${file}: ${form.slice(0, 24)}`));
    }
    return found;
  }

  function cli(...args: string[]): Promise<string> {
    return new Promise((resolve) => {
      execFile(process.execPath, ['cli/main.ts', ...args], { env: environment(), maxBuffer: 1e8 }, (_, stdout, stderr) => resolve(stdout + stderr));
    });
  }
});

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Reads the arguments and the environment of every process of this user, over and over: children live for milliseconds. */
async function watchCommandLines(seen: Set<string>, goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    await setTimeout(5);
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
    for (const pid of pids) {
      for (const file of ['cmdline', 'environ']) {
        const text = await readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '');
        if (text !== '') seen.add(Buffer.from(text, 'latin1').toString().replaceAll('\0', ' '));
      }
    }
  }
}
