// Memory of the processes under the pushes of an hour, sent as fast as they settle, beside processes that do nothing:
//   npx node bench/memory.ts [pushes] [tenants] [keys]
import { spawn, type ChildProcess } from 'node:child_process';
import { requestResults } from '../clients/sync-result.ts';
import { syncWorkflowId } from '../workflows/messages.ts';
import { makeCommits } from './make-commits.ts';
import { childrenOf, residentOf } from './processes.ts';
import { startProduct, type Product } from './product.ts';
import { table } from './statistics.ts';

/** One a second for an hour. */
const pushes = Number(process.argv[2] ?? 3_600);
const tenants = Number(process.argv[3] ?? 20);
const keys = Number(process.argv[4] ?? 100);
const AT_ONCE = 4;
const PARTS = 6;

const names = Array.from({ length: tenants }, (_, n) => `t${n}`);
const product = await startProduct(({ redis, repository }) => names.map((name) => tenantYaml(name, redis, repository)).join(''));
const floors = [floor('a Node process that does nothing', ['-e', 'setInterval(() => {}, 1e6)'])];
floors.push(floor('a worker with an empty workflow', ['bench/idle-worker.ts'], { IDLE_WORKER_ADDRESS: product.address }));
try {
  const rounds = Math.ceil(pushes / tenants);
  const settings = Array.from({ length: keys - 1 }, (_, n) => `key${n}: ${n}\n`).join('');
  const schema = { 'schema.cue': 'version: int\n[string]: int\n' };
  const commits = makeCommits(
    product.bare,
    'made',
    Array.from({ length: rounds }, (_, version) => ({ ...schema, 'settings.yaml': `version: ${version}\n${settings}` })),
  );
  const rows = [rowOf('before', 0)];
  const began = performance.now();
  for (const [round, commit] of commits.entries()) {
    product.point('main', commit);
    await pushToAll(product, commit);
    if ((round + 1) % Math.ceil(rounds / PARTS) === 0 || round + 1 === rounds) rows.push(rowOf(`${(round + 1) * tenants} pushes`, (round + 1) * tenants));
  }
  const seconds = (performance.now() - began) / 1000;
  // What is only waiting to be collected or closed goes meanwhile.
  await new Promise((resolve) => setTimeout(resolve, 30_000));
  rows.push(rowOf('30 s later', rounds * tenants));
  console.log(`${rounds * tenants} pushes of ${keys} keys to ${tenants} tenants in ${seconds.toFixed(0)} s; MiB resident\n\n${table(rows)}\n`);
  console.log(table(floors.map(({ what, child }) => ({ floor: what, MiB: mebibytes(residentOf(child.pid ?? 0)) }))));
} finally {
  for (const { child } of floors) child.kill('SIGKILL');
  await product.stop();
}

function tenantYaml(name: string, redis: string, repository: string): string {
  return `  ${name}:
    repositories: { config: { provider: generic, url: "${repository}", webhookSecret: { env: WEBHOOK_SECRET }, poll: off } }
    sinks: { cache: { kind: redis, url: "${redis}" } }
    rules:
      settings:
        from: { repository: config, files: [ "settings.yaml" ] }
        environments: { branches: { main: production } }
        schema: { file: schema.cue }
        to: [ { sink: cache, place: "${name}:{env}" } ]
`;
}

async function pushToAll({ post, client }: Product, commit: string): Promise<void> {
  const waiting = [...names];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
        const status = await post(name, commit);
        if (status !== 202) throw new Error(`the webhook was answered ${status}`);
        const { requests } = await requestResults(client.workflow.getHandle(syncWorkflowId(name, 'config', 'main')));
        if (requests.at(-1)?.outcome.status !== 'Synced') throw new Error(JSON.stringify(requests));
      }
    }),
  );
}

function rowOf(when: string, sent: number): Record<string, string> {
  const { api, worker } = product.processes;
  const below = childrenOf(worker);
  return {
    when,
    pushes: String(sent),
    api: mebibytes(residentOf(api)),
    worker: mebibytes(residentOf(worker)),
    'git under it': mebibytes(below.reduce((sum, pid) => sum + residentOf(pid), 0)),
    'processes under it': String(below.length),
  };
}

function floor(what: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): { readonly what: string; readonly child: ChildProcess } {
  return { what, child: spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'] }) };
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(0);
}
