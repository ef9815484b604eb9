import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CONFIG_REPOSITORY, openStack, type Stack } from '../product/stack.ts';
import { describeWith } from '../servers/describe-with.ts';
import { environmentOf, vartrack } from './vartrack.ts';

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

const WITHIN = { timeout: 20_000, interval: 200 };

describeWith('temporal', 'the command line where payloads are encrypted', () => {
  const codecKey = randomBytes(32).toString('base64');
  let stack: Stack;
  beforeAll(async () => {
    stack = await openStack({ tenant: TENANT, codecKey });
  });
  afterAll(() => stack?.close());

  it('works with the key, also for what a failed run says', { timeout: 90_000 }, async () => {
    const env = { ...environmentOf(stack), VARTRACK_CODEC_KEY: codecKey };
    await stack.repository.commit({ 'settings.yaml': 'name: base\n' });
    expect(await vartrack(['plan', stack.tenant, 'config'], env)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('production.env: write') });
    await stack.repository.commit({ 'settings.yaml': 'name: [broken\n' });
    expect(await vartrack(['sync', stack.tenant, 'config'], env)).toMatchObject({ exitCode: 2, stdout: expect.stringContaining('settings.yaml:') });
    await expect.poll(async () => (await vartrack(['status', stack.tenant], env)).stdout, WITHIN).toMatch(/config\/main +Rejected/);
  });

  it('sends nothing under another key or none, which would stop the stream', { timeout: 90_000 }, async () => {
    const env = environmentOf(stack);
    const other = { ...env, VARTRACK_CODEC_KEY: randomBytes(32).toString('base64') };
    const refused = { exitCode: 2, stderr: expect.stringContaining('set VARTRACK_CODEC_KEY') };
    expect(await vartrack(['plan', stack.tenant, 'config'], env)).toMatchObject(refused);
    expect(await vartrack(['resume', stack.tenant], other)).toMatchObject(refused);
    expect(await vartrack(['sync', stack.tenant, 'config'], other)).toMatchObject(refused);
    await stack.repository.commit({ 'settings.yaml': 'name: base\n' });
    expect(await vartrack(['sync', stack.tenant, 'config'], { ...env, VARTRACK_CODEC_KEY: codecKey })).toMatchObject({ exitCode: 0 });
    expect(await vartrack(['status', stack.tenant], other)).toMatchObject(refused);
  });
});
