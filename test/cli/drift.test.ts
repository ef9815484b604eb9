import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { readDriftWatch, isSilent } from '../../clients/drift-watch.ts';
import { renewSignal, driftWorkflowId, type DriftWatchState } from '../../workflows/messages.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from '../product/stack.ts';
import { describeWith } from '../servers/describe-with.ts';
import { programOf } from '../servers/program-of.ts';
import { collect, environmentOf, startVartrack, vartrack, type CliRun } from './vartrack.ts';

vi.setConfig({ testTimeout: 90_000 });

const TOKEN = 'token-of-the-test-0123456789-0123456789';
// Nothing looks by itself within the time of a test but what a test asks to look.
const TENANT = `
${CONFIG_REPOSITORY}
sinks:
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:
  settings:
    from: { repository: config, files: [ "settings.yaml" ] }
    environments: { branches: { main: production } }
    schema: none
    to:
      - { sink: files, place: "{dir}/files/{env}.env" }
    drift: { mode: heal, interval: 1h }
  told:
    from: { repository: config, files: [ "told.yaml" ] }
    environments: { branches: { main: production } }
    schema: none
    to:
      - { sink: files, place: "{dir}/files/told-{env}.json", format: json }
    drift: { mode: warn, interval: 1h }
  tried:
    from: { repository: config, files: [ "settings.yaml" ] }
    environments: { branches: { "try/*": trial } }
    schema: none
    to:
      - { sink: files, place: "{dir}/files/{branch}.env" }
    drift: { mode: warn, interval: 1h }
`;
const WITHIN = { timeout: 30_000, interval: 100 };

describeWith('temporal', 'drift on the command line', () => {
  let stack: Stack;
  let env: Record<string, string>;
  const target = 'told/production/0';
  beforeAll(async () => {
    stack = await openStack({ tenant: TENANT, env: { VARTRACK_API_TOKEN: TOKEN } });
    env = environmentOf(stack);
    await stack.push({ 'settings.yaml': 'name: base\n', 'told.yaml': 'name: applied-value\nsize: 5\n' });
    await settles((state) => state.targets.length === 2 && state.targets.every(({ status }) => status === 'InSync'), 'check');
  });
  afterAll(() => stack?.close());

  const run = (...args: readonly string[]): Promise<CliRun> => vartrack(args, env);
  const told = (): string => join(stack.directory, 'files/told-production.json');

  it('is told by target and key without a value, and healed when a person wants it', async () => {
    await drift();
    const found = await run('drift', stack.tenant, '--detailed-exitcode');
    expect(found.exitCode, found.stderr).toBe(8);
    expect(found.stdout).toContain(`${target} → files (linux) ${told()}: Drifted since `);
    expect(found.stdout).toContain('only told (drift: warn)');
    expect(found.stdout).toMatch(/~ name: \S+ is there, not \S+\n/);
    expect(found.stdout).not.toMatch(/applied-value|by-hand-value|settings\/production\/0/);
    const json = await run('drift', '--json');
    expect(json.exitCode).toBe(0);
    expect(JSON.parse(json.stdout)).toMatchObject({ tenants: [{ tenant: stack.tenant, status: 'Drifted', targets: [{ id: target }, {}] }] });
    expect((await run('status', stack.tenant)).stdout).toMatch(/^ {2}drift: 2 targets: 1 Drifted, 1 InSync; checked /m);

    const healed = await run('heal', stack.tenant, target, '--reason', 'it was a mistake');
    expect(healed, healed.stdout).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('1 target is as it should be') });
    expect(JSON.parse(await readFile(told(), 'utf8'))).toEqual({ name: 'applied-value', size: 5 });
    expect(await run('drift', stack.tenant, '--detailed-exitcode')).toMatchObject({ exitCode: 0, stdout: expect.not.stringContaining(target) });
  });

  it('is not healed in a pause, nor where nothing can be meant', async () => {
    await ask('pause', { by: 'ann', reason: 'a night of maintenance' });
    await settles(({ pause }) => pause !== null);
    const paused = await run('heal', stack.tenant);
    expect(paused).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('is paused by ann: a night of maintenance; "vartrack resume') });
    await ask('resume', { by: 'ann' });
    await settles(({ pause }) => pause === null);
    const unknown = await run('heal', stack.tenant, 'told/production/7');
    expect(unknown).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('rule told has 1 destinations') });
  });

  it('is told line by line as it comes and goes, until Ctrl-C', async () => {
    const watching = startVartrack(['drift', stack.tenant, '--watch'], env);
    const [stdout, stderr] = [collect(watching.stdout), collect(watching.stderr)];
    try {
      await drift();
      await expect.poll(stdout, WITHIN).toContain(`${target} (linux ${told()}): `);
      await ask('heal', { by: 'ann', targets: [target] });
      await expect.poll(stdout, WITHIN).toMatch(/ → InSync\n/);
      watching.kill('SIGINT');
      expect(await once(watching, 'close'), stderr()).toEqual([0, null]);
      expect(stdout()).not.toMatch(/\u001b|undefined/);
    } finally {
      watching.kill('SIGKILL');
    }
  });

  it('does what docs/drift.md says a person can send by hand', async () => {
    const [, block = ''] = /```sh\n(temporal workflow [^]*?)```/.exec(readFileSync(new URL('../../docs/drift.md', import.meta.url), 'utf8')) ?? [];
    const commands = block.trim().replaceAll('drift/acme', driftWorkflowId(stack.tenant)).replaceAll('settings/production/0', target).split('\n');
    const seen: string[] = [];
    await drift();
    const { runId } = await stack.temporal.client.workflow.getHandle(driftWorkflowId(stack.tenant)).describe();
    for (const command of commands) {
      const name = /--(?:name|type) (\w+)/.exec(command)?.[1] ?? command;
      const before = await watch();
      const output = await sh(command);
      seen.push(name);
      if (name === 'pause') await settles(({ pause }) => pause?.by === 'ann' && pause.until === '2036-12-01T06:00:00.000Z');
      else if (name === 'resume') await settles(({ pause }) => pause === null);
      else if (name === 'forceHeal') await settles(({ targets }) => targets.every(({ status }) => status === 'InSync'));
      else if (name === 'checkNow') await settles(({ checkedAt }) => checkedAt !== before.checkedAt);
      else if (name === 'state') expect(output).toContain('"InSync"');
      else expect(name).toBe(renewSignal.name);
    }
    expect(seen).toEqual(['pause', 'resume', 'forceHeal', 'checkNow', 'checkNow', 'renew', 'state']);
    expect(JSON.parse(await readFile(told(), 'utf8'))).toMatchObject({ name: 'applied-value' });
    expect((await stack.temporal.client.workflow.getHandle(driftWorkflowId(stack.tenant)).describe()).runId).not.toBe(runId);
  });

  it('is of one ref where each has its place, and healed by the name that says which, or of all by the name without', async () => {
    const [one, two] = ['tried/trial/0@try/one', 'tried/trial/0@try/two'];
    for (const branch of ['try/one', 'try/two']) await stack.push({}, branch);
    const files = [one, two].map((id) => join(stack.directory, 'files', `${id.replace(/^.*@/, '').replace('/', '-')}.env`));
    const edit = () => Promise.all(files.map((file) => writeFile(file, 'NAME=by-hand\n')));
    const areDrifted = ({ targets }: DriftWatchState) => [one, two].every((id) => targets.some((each) => each.id === id && each.status === 'Drifted'));
    await edit();
    await ask('check', { by: 'ann' });
    await settles(areDrifted);
    const texts = () => Promise.all(files.map((file) => readFile(file, 'utf8')));
    expect(await run('heal', stack.tenant, two)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('1 target is as it should be') });
    expect(await texts()).toEqual(['NAME=by-hand\n', 'NAME=base\n']);
    await ask('heal', { by: 'ann', targets: [one] });
    await settles(({ targets }) => targets.every(({ status }) => status === 'InSync'));
    expect(await texts()).toEqual(['NAME=base\n', 'NAME=base\n']);
    expect(await run('heal', stack.tenant, 'tried/trial/0')).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('2 targets are as they should be') });
  });

  /** Somebody edits the file of the rule that only tells. */
  async function drift(): Promise<void> {
    await writeFile(told(), '{ "name": "by-hand-value", "size": 5 }\n');
    await ask('check', { by: 'ann' });
    await settles(({ targets }) => targets.some(({ id, status }) => id === target && status === 'Drifted'));
  }

  async function watch(): Promise<DriftWatchState> {
    const answer = await readDriftWatch(stack.temporal.client, stack.tenant);
    if (isSilent(answer)) throw new Error(answer.silent);
    return answer;
  }

  async function settles(isSo: (state: DriftWatchState) => boolean, asked?: 'check'): Promise<void> {
    if (asked) await ask(asked, { by: 'ann' });
    await vi.waitFor(async () => {
      const state = await watch();
      expect(isSo(state) ? 'so' : JSON.stringify(state, null, 1)).toBe('so');
    }, WITHIN);
  }

  async function ask(operation: string, body: Readonly<Record<string, unknown>>): Promise<void> {
    const response = await fetch(`${stack.api.url}/tenants/${stack.tenant}/${operation}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify(body),
    });
    expect(response.status, await response.text()).toBe(202);
  }

  async function sh(command: string): Promise<string> {
    const { address, namespace } = inject('temporal');
    const program = await programOf('temporal');
    const { stdout } = await promisify(execFile)('sh', ['-c', command.replace(/^temporal/, `'${program}'`)], {
      env: { ...process.env, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace },
    });
    return stdout;
  }
});
