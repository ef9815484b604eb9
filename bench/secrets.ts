// What references to secrets cost on top of a run without any, each in a path of its own, and what Vault is asked for them:
//   npx node bench/secrets.ts [samples]
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { requestResults } from '../clients/sync-result.ts';
import { startVault } from '../test/servers/vault.ts';
import { syncWorkflowId } from '../workflows/messages.ts';
import { startProduct, type Product } from './product.ts';
import { milliseconds, percentile, table } from './statistics.ts';

const samples = Number(process.argv[2] ?? 60);
const WARM_UP = 10;
const REFERENCES = [0, 1, 10, 100];
/** Runs of one tenant at the same time, none of which has logged in before. */
const AT_ONCE = 100;

const vault = await startVault();
const proxy = await startCountingProxy(vault.address);
let product: Product | undefined;
try {
  await vault.readPolicy('app', 'app/*');
  await Promise.all(Array.from({ length: Math.max(...REFERENCES) }, (_, index) => vault.put(`app/s${index}`, { value: `secret ${index}` })));
  const role = await vault.appRole({ policies: ['app'], ttl: '1h' });
  product = await startProduct(
    ({ redis, repository }) => [...REFERENCES.map((count) => `t${count}`), 'many'].map((name) => tenant(name, redis, repository)).join(''),
    {
      settings: 'fingerprintKey: { env: FINGERPRINT_KEY }',
      env: { FINGERPRINT_KEY: 'bench', VAULT_ROLE_ID: role.roleId, VAULT_SECRET_ID: role.secretId },
    },
  );
  const rows: Record<string, string>[] = [];
  for (const count of REFERENCES) rows.push(await measure(product, count));
  console.log(table(rows));
  console.log(await burst(product));
} finally {
  await product?.stop();
  await proxy.stop();
  await vault.stop();
}

function tenant(name: string, redis: string, repository: string): string {
  return `  ${name}:
    repositories: { config: { provider: generic, url: "${repository}", webhookSecret: { env: WEBHOOK_SECRET }, poll: off } }
    secretManagers:
      vault: { kind: vault, address: "${proxy.address}", auth: { method: approle, roleId: { env: VAULT_ROLE_ID }, secretId: { env: VAULT_SECRET_ID } } }
    sinks: { cache: { kind: redis, url: "${redis}" } }
    rules:
      settings:
        from: { repository: config, files: [ "settings.yaml" ] }
        environments: { branches: { "*": "{branch}" } }
        schema: none
        to: [ { sink: cache, place: "${name}:{env}" } ]
        drift: { mode: off }
`;
}

/** Every push changes one key that is no secret. */
async function measure({ git, point, post, client, directory }: Product, count: number): Promise<Record<string, string>> {
  const [name, branch] = [`t${count}`, `secrets-${count}`];
  const commits = commitsOf({ git, directory }, branch, samples + WARM_UP, count);
  const took: number[] = [];
  let before = proxy.requests();
  for (const [index, commit] of commits.entries()) {
    if (index === WARM_UP) before = proxy.requests();
    point(branch, commit);
    const began = performance.now();
    await post(name, commit, branch);
    const { requests } = await requestResults(client.workflow.getHandle(syncWorkflowId(name, 'config', branch)));
    if (requests.at(-1)?.outcome.status !== 'Synced') throw new Error(JSON.stringify(requests));
    if (index >= WARM_UP) took.push(performance.now() - began);
  }
  const asked = (proxy.requests().reads - before.reads) / samples;
  const each = count === 0 ? '' : (asked / count).toFixed(2);
  return {
    references: String(count),
    'to the end, p50 ms': milliseconds(percentile(took, 0.5)),
    'p95 ms': milliseconds(percentile(took, 0.95)),
    'requests to Vault a run': asked.toFixed(1),
    'a path': each,
  };
}

async function burst({ git, point, post, client, directory }: Product): Promise<string> {
  const [commit = ''] = commitsOf({ git, directory }, 'many', 1, 1);
  const branches = Array.from({ length: AT_ONCE }, (_, index) => `many-${index}`);
  for (const branch of branches) point(branch, commit);
  const before = proxy.requests();
  await Promise.all(branches.map(async (branch) => post('many', commit, branch)));
  const ends = await Promise.all(branches.map(async (branch) => requestResults(client.workflow.getHandle(syncWorkflowId('many', 'config', branch)))));
  const synced = ends.filter(({ requests }) => requests.at(-1)?.outcome.status === 'Synced').length;
  const { logins, reads } = proxy.requests();
  return `${synced} of ${AT_ONCE} runs at once Synced: ${logins - before.logins} login, ${reads - before.reads} reads`;
}

function commitsOf({ git, directory }: Pick<Product, 'git' | 'directory'>, branch: string, count: number, references: number): readonly string[] {
  const work = join(directory, 'work');
  mkdirSync(work, { recursive: true });
  const secrets = Array.from({ length: references }, (_, index) => `secret${index}: "@secret(app/s${index}#value)"\n`).join('');
  git('checkout', '-q', '--orphan', branch);
  const commits = Array.from({ length: count }, (_, version) => {
    writeFileSync(join(work, 'settings.yaml'), `version: ${version}\n${secrets}`);
    git('add', '-A');
    git('commit', '-q', '-m', String(version));
    return git('rev-parse', 'HEAD');
  });
  git('push', '-q', 'origin', `${branch}:refs/heads/made/${branch}`);
  return commits;
}

/** Passes requests on to Vault and counts them; the real one writes no log that is cheaper. */
async function startCountingProxy(target: string) {
  const seen = { logins: 0, reads: 0 };
  const server = createServer((request, response) => {
    if (request.url?.endsWith('/login')) seen.logins++;
    else if (request.url?.startsWith('/v1/secret/')) seen.reads++;
    void passOn(target, request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}`,
    requests: () => ({ ...seen }),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function passOn(target: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const token = request.headers['x-vault-token'];
  const answer = await fetch(`${target}${request.url}`, {
    method: request.method ?? 'GET',
    headers: { 'content-type': 'application/json', ...(typeof token === 'string' && { 'x-vault-token': token }) },
    ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
  });
  response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
}
