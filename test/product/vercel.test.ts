import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../servers/describe-with.ts';
import { startVercel, type VercelServer } from '../servers/vercel.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from './stack.ts';

describeWith('temporal', 'a push to variables at Vercel', () => {
  let vercel: VercelServer;
  let stack: Stack;
  beforeAll(async () => {
    vercel = await startVercel();
    stack = await openStack({
      env: { VERCEL_TOKEN: vercel.token('admin'), VERCEL_HOOK: vercel.deployHook },
      tenant: `
${CONFIG_REPOSITORY}
sinks:
  vercel: { kind: vercel, token: { env: VERCEL_TOKEN }, teamId: ${vercel.teamId}, url: "${vercel.url}", requestsPerMinute: 100000, deletesPerMinute: 100000 }
rules:
  settings:
    from: { repository: config, files: [ settings.yaml ] }
    environments: { branches: { main: production } }
    schema: none
    to: [ { sink: vercel, place: "shop-{env}", redeploy: { env: VERCEL_HOOK } } ]
  keys:
    from: { repository: config, files: [ keys.yaml ] }
    environments: { branches: { main: production } }
    schema: none
    to: [ { sink: vercel, place: "vault-{env}", targets: [ production ], type: sensitive } ]
`,
    });
  });
  afterAll(async () => {
    await stack?.close();
    await vercel?.stop();
  });

  it('is Synced where values can be read, Unverifiable where they are sensitive, and nothing the second time', async () => {
    const [open, closed] = [vercel.project('shop-production'), vercel.project('vault-production')];
    const outcome = await stack.push({ 'settings.yaml': 'pool: { size: 5 }\n', 'keys.yaml': 'api: { key: abc }\n' });
    expect(Object.fromEntries(outcome.targets.map(({ place, status }) => [place, status]))).toEqual({
      'shop-production': 'Synced',
      'vault-production': 'Unverifiable',
    });
    expect([...open.variables.values()]).toContainEqual(expect.objectContaining({ key: 'POOL_SIZE', value: '5', type: 'encrypted' }));
    expect([...closed.variables.values()]).toContainEqual(expect.objectContaining({ key: 'API_KEY', value: 'abc', type: 'sensitive' }));
    expect(vercel.deployments()).toBe(1);
    const writes = [open.writes(), closed.writes()];
    expect(await stack.push({ 'README.md': 'x' })).toMatchObject({ status: 'Unchanged' });
    expect([open.writes(), closed.writes()]).toEqual(writes);
  });
});
