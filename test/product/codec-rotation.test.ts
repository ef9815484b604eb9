import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPauseReader } from '../../activities/pause.ts';
import { makeCodecKey, parseCodecKeys } from '../../clients/codec-key.ts';
import { codecKeyUse } from '../../clients/codec-key-use.ts';
import { driftWorkflowId, syncWorkflowId } from '../../workflows/messages.ts';
import { environmentOf, vartrack } from '../cli/vartrack.ts';
import { describeWith } from '../servers/describe-with.ts';
import { programOf } from '../servers/program-of.ts';
import { openStack, type Stack } from './stack.ts';

const TENANT = `
repositories:
  config: { provider: generic, url: "{repository}", webhookSecret: { env: STACK_WEBHOOK_SECRET }, poll: off }
sinks:
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:
  settings:
    from: { repository: config, files: [ "settings.yaml" ] }
    environments: { branches: { main: production } }
    schema: none
    to:
      - { sink: files, place: "{dir}/files/{env}.env" }
`;
const TOKEN = 'token-of-this-test-0123456789-0123456789';
const WITHIN = { timeout: 20_000, interval: 250 };
const run = promisify(execFile);

// The steps of "Rotating the codec key" in docs/operations.md, in their order; each test goes on where the one before ended.
describeWith('temporal', 'rotating the codec key', () => {
  const [oldKey, newKey] = [makeCodecKey(), makeCodecKey()];
  const [oldId, newId] = [idOf(oldKey), idOf(newKey)];
  let stack: Stack;
  beforeAll(async () => {
    stack = await openStack({ tenant: TENANT, codecKey: oldKey, env: { VARTRACK_CODEC_TOKEN: TOKEN } });
    await stack.push({ 'settings.yaml': 'step: zero\n' });
    await command(oldKey, 'pause', stack.tenant, '--reason', 'maintenance');
  });
  afterAll(() => stack?.close());

  it('makes a key that the environment takes', async () => {
    const { exitCode, stdout } = await command('', 'codec', 'key');
    expect(exitCode).toBe(0);
    expect(parseCodecKeys(stdout)).toMatchObject([{ bytes: { length: 32 } }]);
  });

  it('keeps whoever is too fast from sending what workers cannot read', { timeout: 60_000 }, async () => {
    const refused = await command(`${newKey},${oldKey}`, 'sync', stack.tenant, 'config');
    const why = `workers do not have its first key, ${newId}; give it to them as their second key before`;
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(why) as string });
  });

  it('first teaches everyone the new key, and refuses to go on while workers encrypt with the old one', { timeout: 90_000 }, async () => {
    await stack.rekey(`${oldKey},${newKey}`);
    expect((await command(`${newKey},${oldKey}`, 'plan', stack.tenant, 'config')).exitCode).toBe(0);
    const premature = await command(`${newKey},${oldKey}`, 'codec', 'rotate');
    expect(premature).toMatchObject({ exitCode: 5, stderr: expect.stringContaining(`workers encrypt with key ${oldId}; put key ${newId} first`) as string });
    expect(await pause()).toMatchObject({ reason: 'maintenance' });
  });

  it('then encrypts with the new key, and has open runs go on with it, pause and all', { timeout: 90_000 }, async () => {
    await stack.rekey(`${newKey}\n${oldKey}\n`);
    expect(await command(newKey, 'status')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('set VARTRACK_CODEC_KEY') as string });
    const before = await command(`${newKey},${oldKey}`, 'codec', 'status');
    expect(before.stdout).toContain(`keep key ${oldId}: it is needed by ${driftWorkflowId(stack.tenant)}`);

    const rotated = await command(`${newKey},${oldKey}`, 'codec', 'rotate');
    expect(rotated).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(`renewed with key ${newId}: ${stack.tenant}\n`) as string });
    expect(await pause()).toMatchObject({ reason: 'maintenance' });
    const again = await command(`${newKey},${oldKey}`, 'codec', 'rotate');
    expect(again.stdout).toContain(`nothing to renew: every tenant goes on with key ${newId}`);
    expect(again.stdout).toContain(`keep key ${oldId} while runs that have ended are to be read`);
  });

  it('shows runs of both keys to the Temporal command line through /codec, and nothing without the token', { timeout: 90_000 }, async () => {
    const parked = await stack.push({ 'settings.yaml': 'step: parked\n' });
    expect(parked).toMatchObject({ status: 'Parked' });
    const history = await temporal('workflow', 'show', '--workflow-id', syncWorkflowId(stack.tenant, 'config', 'main'));
    for (const text of ['"trigger":"push"', '"status":"Parked"']) {
      expect(readableIn(history.encrypted)).not.toContain(text);
      expect(readableIn(history.decrypted)).toContain(text);
    }
    const [signal] = (await eventsOfFirstRun()).flatMap((event) => event.workflowExecutionSignaledEventAttributes?.input?.payloads ?? []);
    const metadata = Object.fromEntries(Object.entries(signal?.metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]));
    expect(metadata['encryption-key-id']).toBe(Buffer.from(oldId).toString('base64'));
    const sealed = JSON.stringify({ payloads: [{ metadata, data: Buffer.from(signal?.data ?? []).toString('base64') }] });
    const opened = await decode(sealed, { authorization: `Bearer ${TOKEN}` });
    expect(readableIn(await opened.json())).toContain('"reason":"maintenance"');
    expect((await decode(sealed, {})).status).toBe(401);
  });

  it('drops the old key when nothing that Temporal keeps needs it, and all goes on', { timeout: 120_000 }, async () => {
    // Temporal's list follows by a moment, and its deletions take some.
    await expect.poll(keysAfterRetention, { timeout: 60_000, interval: 500 }).not.toContain(oldId);
    expect((await command(`${newKey},${oldKey}`, 'codec', 'status')).stdout).toContain(`key ${oldId} may be dropped`);
    await stack.rekey(newKey);
    expect(await pause()).toMatchObject({ reason: 'maintenance' });
    expect((await command(newKey, 'resume', stack.tenant)).exitCode).toBe(0);
    await expect.poll(() => readFile(join(stack.directory, 'files/production.env'), 'utf8'), WITHIN).toContain('parked');
    expect(await stack.push({ 'settings.yaml': 'step: last\n' })).toMatchObject({ status: 'Synced' });
    expect((await command(newKey, 'status')).stdout).toMatch(/config\/main +Synced/);
    expect(JSON.parse((await command(newKey, 'codec', 'status', '--json')).stdout)).toMatchObject({ keys: [{ id: newId, here: 'encrypts' }] });
  });

  function command(codecKey: string, ...args: readonly string[]) {
    return vartrack(args, { ...environmentOf(stack), VARTRACK_CODEC_KEY: codecKey });
  }

  function pause() {
    return createPauseReader(stack.temporal.client)(stack.tenant);
  }

  /** The same with /codec and without. */
  async function temporal(...args: readonly string[]): Promise<{ readonly encrypted: unknown; readonly decrypted: unknown }> {
    const { TEMPORAL_ADDRESS: address = '', TEMPORAL_NAMESPACE: namespace = '' } = environmentOf(stack);
    const program = await programOf('temporal');
    const asked = [...args, '--output', 'json', '--address', address, '--namespace', namespace];
    const codec = ['--codec-endpoint', `${stack.api.url}/codec`, '--codec-auth', `Bearer ${TOKEN}`];
    const [plain, decoded] = await Promise.all([run(program, asked), run(program, [...asked, ...codec])]);
    return { encrypted: JSON.parse(plain.stdout), decrypted: JSON.parse(decoded.stdout) };
  }

  function decode(body: string, headers: Readonly<Record<string, string>>): Promise<Response> {
    return fetch(`${stack.api.url}/codec/decode`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
  }

  /** Of the run that the old key has encrypted. */
  async function eventsOfFirstRun() {
    const { client, namespace } = stack.temporal;
    const workflowId = driftWorkflowId(stack.tenant);
    const runId = (await client.workflow.getHandle(workflowId).describe()).raw.workflowExecutionInfo?.firstRunId ?? '';
    const { history } = await client.workflowService.getWorkflowExecutionHistory({ namespace, execution: { workflowId, runId } });
    return history?.events ?? [];
  }

  async function keysAfterRetention(): Promise<readonly string[]> {
    await endOfRetention();
    const used = new Set<string>();
    for await (const { keyIds } of codecKeyUse(stack.temporal, `test-${stack.tenant}`)) for (const id of keyIds) used.add(id);
    return [...used];
  }

  /** Deletes every run that has ended, as Temporal does some days later. */
  async function endOfRetention(): Promise<void> {
    const { client, namespace } = stack.temporal;
    for (const workflowId of [driftWorkflowId(stack.tenant), syncWorkflowId(stack.tenant, 'config', 'main')]) {
      for await (const { runId, status } of client.workflow.list({ query: `WorkflowId = "${workflowId}"` })) {
        if (status.name === 'RUNNING') continue;
        await client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, runId } }).catch(ignoreDeleted);
      }
    }
  }
});

function ignoreDeleted(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 5)) throw error;
}

function idOf(key: string): string {
  return parseCodecKeys(key)[0]?.id ?? '';
}

/** What the payloads of a history say. */
function readableIn(part: unknown): string {
  if (typeof part !== 'object' || part === null) return '';
  const own = 'data' in part && typeof part.data === 'string' ? Buffer.from(part.data, 'base64').toString() : '';
  return own + Object.values(part).map(readableIn).join('');
}
