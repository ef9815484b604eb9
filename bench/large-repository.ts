// A repository of many files, of which each commit changes one, and the rule reads that one; beside it the same with the one file alone:
//   npx node bench/large-repository.ts [samples] [files]
import { Redis } from 'ioredis';
import { requestResults } from '../clients/sync-result.ts';
import { syncWorkflowId } from '../workflows/messages.ts';
import { makeCommits, type Changes } from './make-commits.ts';
import { startProduct } from './product.ts';
import { milliseconds, percentile, table } from './statistics.ts';

const samples = Number(process.argv[2] ?? 40);
const files = Number(process.argv[3] ?? 5_000);
const WARM_UP = 5;

const product = await startProduct(({ redis, repository }) => [`one`, 'many'].map((name) => tenantYaml(name, redis, repository)).join(''));
const client = new Redis(product.redis.url);
try {
  const rest = Object.fromEntries(Array.from({ length: files - 2 }, (_, n) => [`services/s${n % 100}/f${n}.yaml`, `name: f${n}\n`]));
  const branches = { one: commitsOf('one', {}), many: commitsOf('many', rest) };
  const times: Record<keyof typeof branches, { visible: number; end: number }[]> = { one: [], many: [] };
  for (let version = 0; version < samples + WARM_UP; version++) {
    for (const name of ['one', 'many'] as const) {
      const sample = await push(name, branches[name][version] ?? '', version);
      if (version >= WARM_UP) times[name].push(sample);
    }
  }
  console.log(table([row('2 files', times.one), row(`${files} files`, times.many)]));
} finally {
  client.disconnect();
  await product.stop();
}

function tenantYaml(name: string, redis: string, repository: string): string {
  return `  ${name}:
    repositories: { config: { provider: generic, url: "${repository}", webhookSecret: { env: WEBHOOK_SECRET }, poll: off } }
    sinks: { cache: { kind: redis, url: "${redis}" } }
    rules:
      settings:
        from: { repository: config, files: [ "services/settings.yaml" ] }
        environments: { branches: { ${name}: production } }
        schema: { file: schema.cue }
        to: [ { sink: cache, place: "${name}:{env}" } ]
`;
}

function commitsOf(branch: string, rest: Changes): readonly string[] {
  const settings = (version: number): Changes => ({ 'services/settings.yaml': `version: ${version}\na: 1\nb: text\nc: true\n` });
  const first = { ...rest, 'schema.cue': 'version: int\na: int\nb: string\nc: bool\n', ...settings(0) };
  return makeCommits(product.bare, `made/${branch}`, [first, ...Array.from({ length: samples + WARM_UP - 1 }, (_, n) => settings(n + 1))]);
}

async function push(name: string, commit: string, version: number): Promise<{ visible: number; end: number }> {
  product.point(name, commit);
  const began = performance.now();
  const status = await product.post(name, commit, name);
  if (status !== 202) throw new Error(`the webhook was answered ${status}`);
  while ((await client.hget(`${name}:production`, 'version')) !== String(version)) await new Promise((resolve) => setTimeout(resolve, 1));
  const visible = performance.now() - began;
  const { requests } = await requestResults(product.client.workflow.getHandle(syncWorkflowId(name, 'config', name)));
  if (requests.at(-1)?.outcome.status !== 'Synced') throw new Error(JSON.stringify(requests));
  return { visible, end: performance.now() - began };
}

function row(what: string, times: readonly { visible: number; end: number }[]): Record<string, string> {
  const of = (part: 'visible' | 'end', share: number): string =>
    milliseconds(
      percentile(
        times.map((time) => time[part]),
        share,
      ),
    );
  return {
    what,
    samples: String(times.length),
    'visible p50 ms': of('visible', 0.5),
    'visible p95 ms': of('visible', 0.95),
    'end of run p50 ms': of('end', 0.5),
    'end of run p95 ms': of('end', 0.95),
  };
}
