import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { TenantStatus } from '../../cli/status.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from '../product/stack.ts';
import { describeWith } from '../servers/describe-with.ts';
import { collect, environmentOf, startVartrack, vartrack, type CliRun } from './vartrack.ts';

const TENANT = `
${CONFIG_REPOSITORY}
sinks:
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:
  settings:
    from: { repository: config, files: [ "settings.yaml" ] }
    environments: { branches: { main: production, "feature/*": "{branch}" }, tags: { "v*": release }, pullRequests: "pr-{number}" }
    schema: { file: settings.cue, definition: "#Settings" }
    to:
      - { sink: files, place: "{dir}/files/{env}.env" }
    limits: { deletes: 1 }
`;
const SCHEMA = '#Settings: { [string]: string | (int & <=100) }\n';
const WITHIN = { timeout: 40_000, interval: 200 };
vi.setConfig({ testTimeout: 90_000 });

// Each test has a branch of its own: they do not wait for each other and run in any order.
describeWith('temporal', 'the command line on a running product', () => {
  let stack: Stack;
  let env: Record<string, string>;
  beforeAll(async () => {
    stack = await openStack({ tenant: TENANT });
    env = environmentOf(stack);
    await stack.repository.commit({ 'settings.cue': SCHEMA, 'settings.yaml': 'name: base\n' });
  });
  afterAll(() => stack?.close());

  const run = (...args: readonly string[]): Promise<CliRun> => vartrack(args, env);
  const json = (result: CliRun): unknown => JSON.parse(result.stdout);
  async function branchWith(files: Readonly<Record<string, string | null>>): Promise<{ branch: string; environment: string; commit: string }> {
    const name = randomUUID().slice(0, 8);
    const branch = `feature/${name}`;
    await stack.repository.git('checkout', '-q', 'main');
    const commit = await stack.repository.commit(files, branch);
    return { branch, environment: `feature-${name}`, commit };
  }
  const commitTo = (branch: string, files: Readonly<Record<string, string | null>>): Promise<string> => stack.repository.commit(files, branch);
  const contentOf = (environment: string): Promise<string> => readFile(join(stack.directory, `files/${environment}.env`), 'utf8');

  it('syncs a branch, says what was written, and ends with 0', async () => {
    const { branch, environment, commit } = await branchWith({ 'settings.yaml': 'name: first\nsize: 5\n' });
    const result = await run('sync', stack.tenant, 'config', branch);
    expect(result).toMatchObject({ exitCode: 0 });
    expect(result.stdout).toContain(`config/${branch} at ${commit.slice(0, 12)}: Synced`);
    expect(result.stdout).toMatch(new RegExp(`settings +${environment} +files \\(linux\\) +\\S+/${environment}.env +Synced +2 put`));
    expect(result.stdout).not.toContain('\u001b');
    expect(await contentOf(environment)).toContain('NAME=');

    const again = await run('sync', stack.tenant, 'config', branch, '--json');
    expect(again.exitCode).toBe(0);
    expect(json(again)).toMatchObject({ tenant: stack.tenant, stream: branch, outcome: { status: 'Unchanged', commit } });
  });

  it('takes the only exact branch where none is named, and need not wait', async () => {
    const result = await run('sync', stack.tenant, 'config', '--no-wait', '--json');
    expect(result.exitCode).toBe(0);
    const { workflowId, request } = json(result) as { workflowId: string; request: string };
    expect(workflowId).toBe(`sync/${stack.tenant}/config/main`);
    expect((await stack.outcomeOf('main', request)).status).toMatch(/Synced|Unchanged/);
  });

  it('tells every problem of a commit that is not valid, and ends with 2', async () => {
    const { branch } = await branchWith({ 'settings.yaml': 'size: 500\n' });
    const result = await run('sync', stack.tenant, 'config', branch);
    expect(result.exitCode).toBe(2);
    expect(result.stdout).toMatch(/Rejected.*\n {2}rule settings: settings\.yaml:1:7 size/);
    const plan = await run('plan', stack.tenant, 'config', branch);
    expect(plan).toMatchObject({ exitCode: 2, stdout: expect.stringMatching(/not valid\n {2}rule settings: settings\.yaml:1:7 size/) });
  });

  it('ends with 3 for a run that a person has to allow, and lets the person allow it', async () => {
    const { branch, environment } = await branchWith({ 'settings.yaml': 'a: x\nb: x\nc: x\n' });
    await run('sync', stack.tenant, 'config', branch);
    await commitTo(branch, { 'settings.yaml': 'a: x\n' });
    const plan = await run('plan', stack.tenant, 'config', branch);
    expect(plan).toMatchObject({ exitCode: 3, stdout: expect.stringMatching(/held.*\n.*limits\.deletes[\s\S]*- B: /) });
    const held = await run('sync', stack.tenant, 'config', branch);
    expect(held).toMatchObject({ exitCode: 3, stdout: expect.stringContaining('--allow-deletes') });
    expect(await contentOf(environment)).toContain('B=');
    const allowed = await run('sync', stack.tenant, 'config', branch, '--allow-deletes');
    expect(allowed).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('2 deleted') });
    expect(await contentOf(environment)).not.toContain('B=');
  });

  it('plans on the worker: keys and fingerprints, no values, and nothing is written', async () => {
    const { branch, environment } = await branchWith({ 'settings.yaml': 'name: alpha-value\nsize: 5\nold: x\n' });
    await run('sync', stack.tenant, 'config', branch);
    const before = await contentOf(environment);
    const commit = await commitTo(branch, { 'settings.yaml': 'name: beta-value\nsize: 5\nnew: x\n' });
    const result = await run('plan', stack.tenant, 'config', branch, '--json', '--detailed-exitcode');
    expect(result.exitCode).toBe(8);
    const fingerprint = expect.stringMatching(/^[\w-]{22}$/) as string;
    expect(json(result)).toMatchObject({
      values: 'fingerprints',
      kind: 'planned',
      commit,
      targets: [
        {
          change: 'write',
          moreKeys: 0,
          keys: expect.arrayContaining([
            { key: 'NAME', change: 'put', before: fingerprint, after: fingerprint },
            { key: 'NEW', change: 'put', before: null, after: fingerprint },
            { key: 'OLD', change: 'delete', before: fingerprint, after: null },
          ]) as unknown,
        },
      ],
    });
    expect(result.stdout + result.stderr).not.toMatch(/alpha-value|beta-value/);
    expect(await contentOf(environment)).toBe(before);
    expect(await run('plan', stack.tenant, 'config', branch)).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/~ NAME: \S{22} → \S{22}/) });
  });

  it('plans locally without Temporal, and shows the values', async () => {
    const { branch, environment, commit } = await branchWith({ 'settings.yaml': 'name: alpha\n' });
    await run('sync', stack.tenant, 'config', branch);
    await commitTo(branch, { 'settings.yaml': 'name: beta\nmore: "\\e[2J"\n' });
    const result = await vartrack(['plan', stack.tenant, 'config', branch, '--local'], { ...env, TEMPORAL_ADDRESS: '127.0.0.1:9' });
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toContain(`${environment}.env: write, now at ${commit.slice(0, 12)}`);
    expect(result.stdout).toMatch(/~ NAME: .*alpha.* → .*beta/);
    // What a value would do to the terminal is written out.
    expect(result.stdout).not.toContain('\u001b');
    const earlier = await run('plan', stack.tenant, 'config', branch, '--local', '--commit', commit, '--json');
    expect(json(earlier)).toMatchObject({ values: 'clear', commit, targets: [{ change: 'unchanged' }] });
  });

  it('plans over a file that varTrack did not write as a conflict', async () => {
    const { branch, environment } = await branchWith({ 'settings.yaml': 'name: ours\n' });
    await writeFile(join(stack.directory, `files/${environment}.env`), 'NAME=theirs\n');
    const result = await run('plan', stack.tenant, 'config', branch);
    expect(result).toMatchObject({ exitCode: 3, stdout: expect.stringContaining('was not written by varTrack') });
  });

  it('plans a tag and a branch that is gone', async () => {
    await stack.repository.git('tag', '-f', 'v1.0', 'main');
    await stack.repository.git('push', '-q', '-f', 'origin', 'v1.0');
    expect(await run('plan', stack.tenant, 'config', '--tag', 'v1.0')).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('release.env') });
    expect(await run('plan', stack.tenant, 'config', 'feature/absent')).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('nothing to do') });
  });

  it('tells how the last run of each stream ended', async () => {
    const good = await branchWith({ 'settings.yaml': 'name: good\n' });
    const bad = await branchWith({ 'settings.yaml': 'size: 500\n' });
    await run('sync', stack.tenant, 'config', good.branch);
    await run('sync', stack.tenant, 'config', bad.branch);
    // Visibility follows the runs by a moment.
    await expect
      .poll(async () => {
        const { tenants } = json(await run('status', stack.tenant, '--json')) as { tenants: TenantStatus[] };
        return tenants[0]?.streams.filter(({ stream }) => stream === good.branch || stream === bad.branch).map(({ status }) => status);
      }, WITHIN)
      .toEqual(expect.arrayContaining(['Synced', 'Rejected']));
    const { exitCode, stdout } = await run('status');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`config/${good.branch} +Synced +${good.commit.slice(0, 12)}`));
    expect(stdout).toMatch(new RegExp(`config/${bad.branch}: rule settings: settings\\.yaml:1:7`));
  });

  it('answers an unknown tenant, repository or ref with the known ones', async () => {
    expect(await run('sync', 'nobody', 'config')).toMatchObject({
      exitCode: 1,
      stderr: `vartrack: the bundle has no tenant "nobody"; it has ${stack.tenant}\n`,
    });
    expect(await run('sync', stack.tenant, 'other')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('has no repository "other"; it has config'),
    });
    const { exitCode, stderr, stdout } = await run('plan', stack.tenant, 'config', 'other', '--json');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('they take branch main, branch feature/*, tag v*, a pull request');
    expect(JSON.parse(stdout)).toMatchObject({ error: { exitCode: 1, message: expect.stringContaining('takes branch "other"') } });
  });

  it('says that no worker is there to do what was asked for', async () => {
    const child = startVartrack(['plan', stack.tenant, 'config', 'main'], { ...env, VARTRACK_TASK_QUEUE: `nobody-${stack.tenant}` });
    const stderr = collect(child.stderr);
    try {
      await expect.poll(stderr, WITHIN).toContain(`No worker has asked for work on the task queue "nobody-${stack.tenant}"`);
    } finally {
      child.kill();
    }
  });
});
