import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { endsWell } from '../../domain/status.ts';
import { checkNowSignal, driftStateQuery, driftWorkflowId, forceHealSignal, pauseSignal, resumeSignal } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { openStack, type Stack } from './stack.ts';

const INTERVAL_MS = 2_000;

describeWith('temporal', 'a watched tenant', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await openStack({
      tenant: `
repositories:
  config: { provider: generic, url: "{repository}", webhookSecret: { env: STACK_WEBHOOK_SECRET }, poll: 2s }
sinks:
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:
  healed:
    from: { repository: config, files: [ "settings.yaml" ] }
    environments: { branches: { main: production } }
    schema: none
    to: [ { sink: files, place: "{dir}/files/healed-{env}.json", format: json } ]
    drift: { mode: heal, interval: ${INTERVAL_MS / 1_000}s }
  warned:
    from: { repository: config, files: [ "settings.yaml" ] }
    environments: { branches: { main: production } }
    schema: none
    to: [ { sink: files, place: "{dir}/files/warned-{env}.json", format: json } ]
    drift: { mode: warn, interval: ${INTERVAL_MS / 1_000}s }
`,
    });
  });
  afterAll(() => stack?.close());
  beforeEach(async () => {
    const outcome = await stack.push({ 'settings.yaml': settingsOf('good') });
    if (!endsWell(outcome.status)) throw new Error(`the first push ended ${outcome.status}: ${outcome.summary}`);
  });

  const watch = () => stack.temporal.client.workflow.getHandle(driftWorkflowId(stack.tenant));
  const state = () => watch().query(driftStateQuery);
  const path = (rule: string): string => join(stack.directory, `files/${rule}-production.json`);
  const nameIn = async (rule: string): Promise<unknown> => (JSON.parse(await readFile(path(rule), 'utf8')) as { readonly name?: unknown }).name;
  const spoil = (rule: string): Promise<void> => writeFile(path(rule), JSON.stringify({ name: `by hand ${randomUUID()}` }));

  it('is healed soon after its interval, and says so', async () => {
    await eventually(async () => expect((await state()).targets.map(({ status }) => status)).toEqual(['InSync', 'InSync']));
    await spoil('healed');
    // A second more on a quiet machine.
    await eventually(async () => expect(await nameIn('healed')).toBe('good'), INTERVAL_MS + 4_000);
    await eventually(async () => expect(await state()).toMatchObject({ status: 'InSync', pause: null }));
  });

  it('is brought to a commit whose webhook got lost', async () => {
    const commit = await stack.repository.commit({ 'settings.yaml': settingsOf('unheard of') });
    await eventually(async () => expect(await nameIn('healed')).toBe('unheard of'));
    await eventually(async () =>
      expect((await state()).targets.map((target) => [target.status, target.commit])).toEqual([
        ['InSync', commit],
        ['InSync', commit],
      ]),
    );
  });

  it('is told of what drifted where its rule only warns, until a person says heal', async () => {
    await spoil('warned');
    await eventually(async () =>
      expect((await state()).targets[0]).toMatchObject({
        id: 'warned/production/0',
        status: 'Drifted',
        keys: [
          { key: 'name', drift: 'changed' },
          { key: 'port', drift: 'missing' },
        ],
      }),
    );
    await watch().signal(checkNowSignal, {});
    await eventually(async () => expect((await state()).nextCheckAt).not.toBeNull());
    expect(await nameIn('warned')).toMatch(/^by hand/);
    await watch().signal(forceHealSignal, { by: 'ann', targets: ['warned/production/0'] });
    await eventually(async () => expect(await nameIn('warned')).toBe('good'));
    await eventually(async () => expect((await state()).status).toBe('InSync'));
  });

  it('is not written while it is paused, also when it drifts and its stream moves, and gets the newest commit alone on resume (I12)', async () => {
    await watch().signal(pauseSignal, { by: 'ann', reason: 'maintenance' });
    await eventually(async () => expect((await state()).pause?.by).toBe('ann'));
    await spoil('healed');
    const spoiled = await nameIn('healed');
    await stack.repository.commit({ 'settings.yaml': settingsOf('older') });
    await stack.repository.commit({ 'settings.yaml': settingsOf('newest') });
    await eventually(async () => expect(await state()).toMatchObject({ status: 'Drifted', streams: [{ stream: 'main', state: 'moved' }] }));
    expect(await nameIn('healed')).toBe(spoiled);
    const seen = new Set<unknown>();
    await watch().signal(resumeSignal, { by: 'ann' });
    await eventually(async () => {
      const name = await nameIn('healed');
      seen.add(name);
      expect(name).toBe('newest');
    });
    expect([...seen].filter((name) => name !== spoiled)).toEqual(['newest']);
    await eventually(async () => expect(await state()).toMatchObject({ status: 'InSync', streams: [] }));
  });
});

function settingsOf(name: string): string {
  return `name: ${name}\nport: 1\n# ${randomUUID()}\n`;
}

function eventually(expectation: () => Promise<void>, timeout = 20_000): Promise<void> {
  return vi.waitFor(expectation, { timeout, interval: 20 });
}
