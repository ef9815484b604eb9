import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseUntil } from '../../cli/pause.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from '../product/stack.ts';
import { describeWith } from '../servers/describe-with.ts';
import { environmentOf, vartrack, type CliRun } from './vartrack.ts';

// Each test starts several processes.
vi.setConfig({ testTimeout: 90_000 });

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
`;

describeWith('temporal', 'vartrack pause and resume', () => {
  let stack: Stack;
  let run: (...args: readonly string[]) => Promise<CliRun>;
  beforeAll(async () => {
    stack = await openStack({ tenant: TENANT });
    run = (...args) => vartrack(args, environmentOf(stack));
    await stack.repository.commit({ 'settings.yaml': 'name: base\n' });
  });
  afterAll(() => stack?.close());

  it('holds a tenant until it is resumed, and then applies the newest commit', async () => {
    expect(await run('resume', stack.tenant)).toMatchObject({ exitCode: 0, stdout: `${stack.tenant} was not paused\n` });
    const paused = await run('pause', stack.tenant, '--reason', 'a night of maintenance', '--until', '2h', '--json');
    expect(paused.exitCode).toBe(0);
    const { pause } = JSON.parse(paused.stdout) as { pause: { until: string; by: string } };
    expect(pause).toMatchObject({ reason: 'a night of maintenance', by: expect.stringMatching(/./) });
    expect(Date.parse(pause.until) - Date.now()).toBeGreaterThan(3_600_000);

    const parked = await run('sync', stack.tenant, 'config');
    expect(parked).toMatchObject({ exitCode: 7, stdout: expect.stringMatching(/Parked: paused by .*: a night of maintenance/) });
    expect((await run('status', stack.tenant)).stdout).toContain(': a night of maintenance (until ');

    expect(await run('resume', stack.tenant)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('is resumed') });
    await expect
      .poll(async () => (JSON.parse((await run('plan', stack.tenant, 'config', '--json')).stdout) as { targets: { change: string }[] }).targets[0]?.change, {
        timeout: 20_000,
      })
      .toBe('unchanged');
  });

  it('refuses a pause without a reason, with a bad end, or of nobody', async () => {
    expect(await run('pause', stack.tenant)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('--reason') });
    expect(await run('pause', stack.tenant, '--reason', 'x', '--until', 'tomorrow')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('--until "tomorrow" is no time'),
    });
    expect(await run('pause', 'nobody', '--reason', 'x')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(`it has ${stack.tenant}`) });
  });
});

describe('the end of a pause', () => {
  const now = new Date('2026-11-24T06:00:00Z');

  it('is a duration from now or a time', () => {
    expect(parseUntil('90m', now)).toBe('2026-11-24T07:30:00.000Z');
    expect(parseUntil('2026-12-01T06:00+01:00', now)).toBe('2026-12-01T05:00:00.000Z');
  });

  it('is never in the past, and never guessed', () => {
    expect(() => parseUntil('2026-11-24T05:59Z', now)).toThrow(/is over already/);
    for (const text of ['tomorrow', '12', '2026-12-01', '2026-13-01T00:00Z', '']) expect(() => parseUntil(text, now), text).toThrow(/is no time/);
  });
});
