import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { isSilent, readDriftWatch, tellDriftWatch } from '../../clients/drift-watch.ts';
import { checkNowSignal, syncWorkflowId } from '../../workflows/messages.ts';
import { searchAttributes } from '../../workflows/search-attributes.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from '../product/stack.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startVault, type VaultServer } from '../servers/vault.ts';
import { environmentOf, vartrack } from './vartrack.ts';

vi.setConfig({ testTimeout: 90_000 });

describeWith(['temporal', 'vault'], 'vartrack rotate', () => {
  let vault: VaultServer;
  let stack: Stack;
  beforeAll(async () => {
    vault = await startVault();
    await vault.put('app/db', { password: 'first-password' });
    stack = await openStack({
      settings: 'fingerprintKey: { env: FINGERPRINT_KEY }',
      env: { FINGERPRINT_KEY: 'a key', VAULT_TOKEN: vault.rootToken },
      tenant: tenantBundle(vault.address),
    });
    await stack.push({ 'secret.yaml': 'password: "@secret(app/db#password)"\n', 'plain.yaml': 'name: base\n' });
    const taskQueue = `test-${stack.tenant}`;
    await tellDriftWatch(stack.temporal.client, { tenant: stack.tenant, taskQueue }, checkNowSignal);
    // From here on the version is known.
    await vi.waitFor(async () => {
      const state = await readDriftWatch(stack.temporal.client, stack.tenant);
      const isSettled = !isSilent(state) && !state.busy && state.targets.length === 2 && state.targets.every(({ status }) => status === 'InSync');
      if (!isSettled) throw new Error(`not settled: ${JSON.stringify(state)}`);
    }, 30_000);
    // One that is seen for the first time may be newer than what was written, so a run looks.
    const run = stack.temporal.client.workflow.getHandle(syncWorkflowId(stack.tenant, 'config', 'main'));
    await vi.waitFor(async () => {
      const { status, typedSearchAttributes } = await run.describe();
      const trigger = typedSearchAttributes.get(searchAttributes.trigger);
      if (status.name !== 'COMPLETED' || trigger !== 'rotation') throw new Error(`the newest run is ${status.name}, by ${trigger}`);
    }, 30_000);
  });
  afterAll(async () => {
    await stack?.close();
    await vault?.stop();
  });

  it('writes a newer version to the target that refers to it, tells which, and then finds nothing more', async () => {
    const env = { ...environmentOf(stack), FINGERPRINT_KEY: 'a key', VAULT_TOKEN: vault.rootToken };
    await vault.put('app/db', { password: 'second-password' });
    const rotated = await vartrack(['rotate', stack.tenant], env);
    expect(rotated, rotated.stderr + rotated.stdout).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/: Synced: .*\n[^]*secret +production/) });
    expect(rotated.stdout).not.toMatch(/password'|second-password|plain +production/);
    expect(await readFile(join(stack.directory, 'files/secret.env'), 'utf8')).toContain('second-password');
    const again = await vartrack(['rotate', stack.tenant], env);
    expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('no secret has a newer version') });
  });
});

function tenantBundle(vaultAddress: string): string {
  const rule = (name: string): string => `
  ${name}:
    from: { repository: config, files: [ "${name}.yaml" ] }
    environments: { branches: { main: production } }
    schema: none
    to:
      - { sink: files, place: "{dir}/files/${name}.env" }
    drift: { interval: 1h }`;
  return `
${CONFIG_REPOSITORY}
secretManagers:
  vault: { kind: vault, address: "${vaultAddress}", paths: [ "app/**" ], auth: { method: token, token: { env: VAULT_TOKEN } } }
sinks:
  files: { kind: linux, transport: local, root: "{dir}/files" }
rules:${rule('secret')}${rule('plain')}
`;
}
