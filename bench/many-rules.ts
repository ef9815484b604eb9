// Many rules on one commit, each with a schema and a target of its own, and what git was asked for them:
//   npx node bench/many-rules.ts [rules] [pushes]
import { Redis } from 'ioredis';
import { requestResults } from '../clients/sync-result.ts';
import { syncWorkflowId } from '../workflows/messages.ts';
import { countGit } from './count-git.ts';
import { makeCommits } from './make-commits.ts';
import { startProduct } from './product.ts';
import { milliseconds, table } from './statistics.ts';

const rules = Number(process.argv[2] ?? 1_000);
const pushes = Number(process.argv[3] ?? 5);

const commands = countGit();
const product = await startProduct(({ redis, repository }) => tenantYaml(redis, repository));
const client = new Redis(product.redis.url);
try {
  const commits = makeCommits(
    product.bare,
    'made',
    Array.from({ length: pushes + 1 }, (_, version) => ({
      'settings.yaml': `version: ${version}\na: 1\nb: text\nc: true\n`,
      'schema.cue': 'version: int\na: int\nb: string\nc: bool\n',
    })),
  );
  const rows: Record<string, string>[] = [];
  for (const [version, commit] of commits.entries()) {
    product.point('main', commit);
    const before = commands();
    const began = performance.now();
    const status = await product.post('acme', commit);
    if (status !== 202) throw new Error(`the webhook was answered ${status}`);
    const handle = product.client.workflow.getHandle(syncWorkflowId('acme', 'config', 'main'));
    const { requests } = await requestResults(handle);
    const ended = performance.now() - began;
    const outcome = requests.at(-1)?.outcome;
    if (outcome?.status !== 'Synced') throw new Error(JSON.stringify(outcome));
    if ((await client.hget(`place:${rules - 1}`, 'version')) !== String(version)) throw new Error('the last target does not have the commit');
    const after = commands();
    const asked = Object.entries(after).flatMap(([name, count]) => (count > (before[name] ?? 0) ? [`${count - (before[name] ?? 0)} ${name}`] : []));
    const { historyLength, historySize = 0 } = await handle.describe();
    rows.push({
      push: version === 0 ? 'first' : String(version),
      'all written and read back ms': milliseconds(ended),
      'ms a rule': milliseconds(ended / rules),
      'git commands': asked.join(', '),
      'events of the run': String(historyLength),
      'KiB of history': (historySize / 1024).toFixed(0),
    });
  }
  console.log(`${rules} rules on one commit\n\n${table(rows)}`);
} finally {
  client.disconnect();
  await product.stop();
}

function tenantYaml(redis: string, repository: string): string {
  const each = Array.from(
    { length: rules },
    (_, n) => `      r${n}:
        from: { repository: config, files: [ "settings.yaml" ] }
        environments: { branches: { main: production } }
        schema: { file: schema.cue }
        to: [ { sink: cache, place: "place:${n}" } ]
`,
  );
  return `  acme:
    repositories: { config: { provider: generic, url: "${repository}", webhookSecret: { env: WEBHOOK_SECRET }, poll: off } }
    sinks: { cache: { kind: redis, url: "${redis}" } }
    rules:
${each.join('')}`;
}
