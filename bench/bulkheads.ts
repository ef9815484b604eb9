// What pushes to healthy sinks take while a fifth of all destinations hang, beside what they take while none does, in turn, in one run:
//   npx node bench/bulkheads.ts [rounds] [tenants] [places of each] [ms between pushes]
import { Redis } from 'ioredis';
import { startTcpProxy } from '../test/faults/tcp-proxy.ts';
import { makeCommits } from './make-commits.ts';
import { startProduct, until } from './product.ts';
import { milliseconds, percentile, table } from './statistics.ts';

const [rounds = 6, tenants = 20, places = 5, gapMs = 150] = process.argv.slice(2).map(Number);
/** Commits of one half of a round. */
const WAVES = 3;
const HANGING = Math.ceil(tenants / 5);
const names = Array.from({ length: tenants }, (_, n) => `t${n}`);
const hanging = names.slice(0, HANGING);

const target = { host: '127.0.0.1', port: 0 };
// Redis listens once the product is started.
const proxy = await startTcpProxy(target);
const product = await startProduct(({ redis, repository }) => {
  target.port = Number(new URL(redis).port);
  return names.map((name) => tenantYaml(name, hanging.includes(name) ? `redis://127.0.0.1:${proxy.port}` : redis, repository)).join('');
});
const client = new Redis(product.redis.url);
const waiting = new Map<string, { readonly version: string; readonly seen: () => void }>();
const polling = setInterval(() => void poll().catch(() => undefined), 3);
try {
  const commits = makeCommits(
    product.bare,
    'made',
    Array.from({ length: (rounds + 1) * 2 * WAVES }, (_, version) => ({ 'settings.yaml': settings(version) })),
  );
  const times: Record<'answers' | 'hangs', number[]> = { answers: [], hangs: [] };
  let version = 0;
  for (let round = 0; round <= rounds; round++) {
    // Each comes first as often as the other.
    for (const state of round % 2 === 0 ? (['answers', 'hangs'] as const) : (['hangs', 'answers'] as const)) {
      proxy.watch(state === 'hangs' ? { how: 'hole', direction: 'request', after: 0 } : undefined);
      for (let wave = 0; wave < WAVES; wave++, version++) {
        const took = await push(version, commits[version] ?? '');
        if (round > 0) times[state].push(...took);
      }
      proxy.heal();
      const last = String(version - 1);
      await until(async () => (await Promise.all(hanging.map((name) => client.hget(placeOf(name), 'version')))).every((each) => each === last), 180_000);
    }
  }
  const row = (what: string, samples: readonly number[]): Record<string, string> => {
    return { what, pushes: String(samples.length), 'p50 ms': milliseconds(percentile(samples, 0.5)), 'p95 ms': milliseconds(percentile(samples, 0.95)) };
  };
  const { answers, hangs } = times;
  const ratio = (share: number): string => (percentile(hangs, share) / percentile(answers, share)).toFixed(2);
  console.log(
    table([
      row('all answer', answers),
      row(`${HANGING * places} of ${tenants * places} destinations hang`, hangs),
      { what: 'ratio', pushes: '', 'p50 ms': ratio(0.5), 'p95 ms': ratio(0.95) },
    ]),
  );
} finally {
  clearInterval(polling);
  client.disconnect();
  await product.stop();
  await proxy.stop();
}

/** Pushes one commit to all tenants, one after the other, and gives what each of the healthy took from its POST to its value. */
async function push(wave: number, commit: string): Promise<readonly number[]> {
  product.point('main', commit);
  const took: Promise<number>[] = [];
  for (const name of names) {
    const began = performance.now();
    if (!hanging.includes(name)) took.push(seenAt(name, String(wave)).then((at) => at - began));
    const status = await product.post(name, commit);
    if (status !== 202) throw new Error(`the webhook was answered ${status}`);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, began + gapMs - performance.now())));
  }
  return Promise.all(took);
}

function seenAt(name: string, version: string): Promise<number> {
  return new Promise((resolve) => waiting.set(name, { version, seen: () => resolve(performance.now()) }));
}

/** One request for all that is waited for. */
async function poll(): Promise<void> {
  const asked = [...waiting];
  const replies = (await client.pipeline(asked.map(([name]) => ['hget', placeOf(name), 'version'])).exec()) ?? [];
  for (const [index, [name, { version, seen }]] of asked.entries()) {
    if (replies[index]?.[1] !== version) continue;
    waiting.delete(name);
    seen();
  }
}

/** The last one of the tenant. */
function placeOf(name: string): string {
  return `${name}:production:${places - 1}`;
}

function tenantYaml(name: string, redis: string, repository: string): string {
  const to = Array.from({ length: places }, (_, place) => `{ sink: cache, place: "${name}:{env}:${place}" }`).join(', ');
  return `  ${name}:
    repositories: { config: { provider: generic, url: "${repository}", webhookSecret: { env: WEBHOOK_SECRET }, poll: off } }
    sinks: { cache: { kind: redis, url: "${redis}", commandTimeout: 5s } }
    rules:
      settings:
        from: { repository: config, files: [ "settings.yaml" ] }
        environments: { branches: { main: production } }
        schema: none
        to: [ ${to} ]
`;
}

function settings(version: number): string {
  return `version: ${version}\n${Array.from({ length: 20 }, (_, key) => `key${key}: ${key}\n`).join('')}`;
}
