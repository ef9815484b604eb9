// Bursts of webhooks, posted as fast as the api answers, until every run has ended:
//   npx node bench/burst.ts [webhooks] [tenants]
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startProduct, until, type Product } from './product.ts';
import { milliseconds, table } from './statistics.ts';

const webhooks = Number(process.argv[2] ?? 200);
const tenants = Number(process.argv[3] ?? 20);
const names = Array.from({ length: tenants }, (_, n) => `t${n}`);

const product = await startProduct(({ redis, repository }) => names.map((name) => tenantYaml(name, redis, repository)).join(''));
const client = new Redis(product.redis.url);
try {
  const rows = [];
  const commits = prepare(product);
  await burst(
    product,
    'warm up: one push to each tenant',
    names.map((name) => ({ tenant: name, branch: 'main', commit: commits[0] ?? '' })),
  );
  product.point('main', commits[1] ?? '');
  const joining = Array.from({ length: webhooks }, (_, n) => ({ tenant: names[n % tenants] ?? '', branch: 'main', commit: commits[1] ?? '' }));
  rows.push(await burst(product, `${webhooks} pushes to the main branch of ${tenants} tenants`, joining));
  // Every push of a tenant has a stream of its own, so that none can join another.
  const spread = Array.from({ length: webhooks }, (_, n) => ({
    tenant: names[n % tenants] ?? '',
    branch: `b${Math.floor(n / tenants)}`,
    commit: commits[1] ?? '',
  }));
  for (const branch of new Set(spread.map((push) => push.branch))) product.point(branch, commits[1] ?? '');
  rows.push(await burst(product, `${webhooks} pushes to ${webhooks} streams of ${tenants} tenants`, spread));
  product.point('main', commits[2] ?? '');
  rows.push(
    await burst(
      product,
      `${webhooks} pushes to one stream`,
      Array.from({ length: webhooks }, () => ({ tenant: 't0', branch: 'main', commit: commits[2] ?? '' })),
    ),
  );
  if ((await client.hget('t0:main', 'version')) !== '2') throw new Error('the head is not what stands in Redis');
  console.log(table(rows));
} finally {
  client.disconnect();
  await product.stop();
}

interface Push {
  readonly tenant: string;
  readonly branch: string;
  readonly commit: string;
}

function tenantYaml(name: string, redis: string, repository: string): string {
  return `  ${name}:
    repositories: { config: { provider: generic, url: "${repository}", webhookSecret: { env: WEBHOOK_SECRET }, poll: off } }
    sinks: { cache: { kind: redis, url: "${redis}" } }
    rules:
      settings:
        from: { repository: config, files: [ "settings.yaml" ] }
        environments: { branches: { main: main, "b*": "{branch}" } }
        schema: { file: schema.cue }
        to: [ { sink: cache, place: "${name}:{env}" } ]
`;
}

/** Three commits of four keys; `main` is at the first. */
function prepare({ git, point, directory }: Product): readonly string[] {
  git('checkout', '-q', '-b', 'main');
  writeFileSync(join(directory, 'work', 'schema.cue'), 'version: int\na: int\nb: string\nc: bool\n');
  const made = [0, 1, 2].map((version) => {
    writeFileSync(join(directory, 'work', 'settings.yaml'), `version: ${version}\na: 1\nb: text\nc: true\n`);
    git('add', '-A');
    git('commit', '-q', '-m', String(version));
    return git('rev-parse', 'HEAD');
  });
  git('push', '-q', 'origin', 'main:refs/heads/made');
  point('main', made[0] ?? '');
  return made;
}

async function burst({ post, client: temporal }: Product, what: string, pushes: readonly Push[]): Promise<Record<string, string>> {
  const began = performance.now();
  const statuses = await Promise.all(pushes.map(({ tenant, branch, commit }) => post(tenant, commit, branch)));
  const answered = performance.now() - began;
  const refused = statuses.filter((status) => status !== 202 && status !== 200);
  if (refused.length > 0) throw new Error(`${refused.length} webhooks were refused, the first with ${refused[0]}`);
  const query = `WorkflowType = 'syncWorkflow' AND ExecutionStatus = 'Running'`;
  await until(async () => (await temporal.workflow.count(query)).count === 0);
  // Visibility lags by a moment; the values do not.
  const settled = performance.now() - began;
  const failed = await temporal.workflow.count(`WorkflowType = 'syncWorkflow' AND ExecutionStatus = 'Failed'`);
  if (failed.count > 0) throw new Error(`${failed.count} runs failed`);
  return {
    what,
    'answered ms': milliseconds(answered),
    'settled ms': milliseconds(settled),
    'pushes/s': (pushes.length / (settled / 1000)).toFixed(0),
  };
}
