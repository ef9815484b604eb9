// A write and its read-back through each kind of sink beside the bare driver doing the same, in turn, in one run:
//   npx node bench/sinks.ts [--network ms] [repetitions] [kind ...]
// With --network each byte takes so long from one side to the other; without, all is on one machine, where a round trip costs next to nothing.
import { createHash, randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { plan, type LiveState, type Plan, type Policy, type RenderedEntry, type WritePlan } from '../domain/plan.ts';
import type { DestinationFields, Place, Sink, SinkContext } from '../sinks/sink.ts';
import { startTcpProxy, type TcpProxy } from '../test/faults/tcp-proxy.ts';
import { configmapKind } from './sinks/configmap.ts';
import { consulKind } from './sinks/consul.ts';
import { helmKind } from './sinks/helm.ts';
import type { Bare, Kind, Lane, Stage } from './sinks/lane.ts';
import { localKind, sshKind } from './sinks/linux.ts';
import { mongodbKind } from './sinks/mongodb.ts';
import { redisKind } from './sinks/redis.ts';
import { s3Kind } from './sinks/s3.ts';
import { vercelKind } from './sinks/vercel.ts';
import { zookeeperKind } from './sinks/zookeeper.ts';
import { percentile, table } from './statistics.ts';

const kinds: Readonly<Record<string, Kind>> = {
  redis: redisKind,
  'linux, ssh': sshKind,
  'linux, local': localKind,
  s3: s3Kind,
  mongodb: mongodbKind,
  zookeeper: zookeeperKind,
  configmap: configmapKind,
  helm: helmKind,
  consul: consulKind,
  vercel: vercelKind,
};
const { positionals, values: given } = parseArgs({ allowPositionals: true, options: { network: { type: 'string', default: '0' } } });
const networkMs = Number(given.network);
const repetitions = Number(positionals[0] ?? 30);
const wanted = positionals.slice(1);
const WARM_UP = 3;
/** What takes so long is measured less often. */
const BUDGET_MS = 20_000;

const fingerprint = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 22);

/** What one turn took: the read that a plan is made from, and the write with the read that proves it. */
interface Turn {
  readonly first: number;
  readonly proven: number;
}

const rows: Record<string, string>[] = [];
for (const [name, kind] of Object.entries(kinds)) {
  if (wanted.length > 0 && !wanted.some((each) => name.split(', ').includes(each))) continue;
  const stage = await kind.start();
  try {
    for (const lane of kind.lanes) for (const size of lane.sizes) rows.push(await measure(name, kind, lane, stage, size));
  } finally {
    await stage.stop();
  }
}
console.log(table(rows));
// Clients of vendors keep timers.
process.exit();

async function measure(name: string, kind: Kind, lane: Lane, stage: Stage, size: number): Promise<Record<string, string>> {
  const { definition } = kind;
  const fields = definition.destination.parse(lane.destination);
  const network = networkMs > 0 && stage.address ? await startTcpProxy(stage.address) : undefined;
  network?.slowDown(networkMs);
  const address = network ?? stage.address ?? { host: '', port: 0 };
  const [sink, bare] = await Promise.all([stage.sink(address), stage.bare(address)]);
  const [ours, theirs] = [placeAt(stage, fields), placeAt(stage, fields)];
  const render = (version: number): readonly RenderedEntry[] =>
    Array.from({ length: size }, (_, key) => definition.render({ path: ['pool', `key${key}`], value: `value-${key}-${version}` }, fields));
  const atomicity = definition.layouts[fields.layout]?.atomicity ?? '';
  const policy = policyFor(kind, fields);
  const times: Record<'sink' | 'bare', Turn[]> = { sink: [], bare: [] };
  const began = performance.now();
  for (let turn = 0; turn < repetitions + WARM_UP; turn++) {
    const entries = render(turn);
    const run = {
      sink: () => sinkTurn(sink, ours, entries, policy),
      bare: () => bareTurn(bare, theirs, entries),
    };
    // Each goes first as often as the other.
    for (const who of turn % 2 === 0 ? (['sink', 'bare'] as const) : (['bare', 'sink'] as const)) {
      const took = await run[who]();
      if (turn >= WARM_UP) times[who].push(took);
    }
    if (times.sink.length >= 5 && performance.now() - began > BUDGET_MS) break;
  }
  await Promise.all([sink.close(), bare.close()]);
  await network?.stop();
  const rounds = stage.address ? await countRounds(stage, ours, theirs, [render(-1), render(-2)], policy) : undefined;
  const half = (who: 'sink' | 'bare', of: (turn: Turn) => number): number => percentile(times[who].map(of), 0.5);
  const proven = (turn: Turn): number => turn.proven;
  const whole = (turn: Turn): number => turn.first + turn.proven;
  return {
    sink: name,
    layout: fields.layout,
    'in one step': atomicity,
    keys: String(size),
    turns: String(times.sink.length),
    'driver, ms': half('bare', proven).toFixed(1),
    'sink, ms': half('sink', proven).toFixed(1),
    ratio: (half('sink', proven) / half('bare', proven)).toFixed(2),
    'with the first read': (half('sink', whole) / half('bare', whole)).toFixed(2),
    'round trips, driver': rounds?.bare ?? '',
    'round trips, sink': rounds?.sink ?? '',
  };
}

async function sinkTurn(sink: Sink, place: Place, entries: readonly RenderedEntry[], policy: Policy, step: (name: string) => void = nothing): Promise<Turn> {
  const context: SinkContext = { signal: AbortSignal.timeout(120_000), keys: entries.map(({ key }) => key), fingerprint };
  const began = performance.now();
  const made = planFor(entries, await sink.read(place, context), policy);
  if (made.kind !== 'write') throw new Error(`expected a write, got ${JSON.stringify(made)}`);
  const planned = performance.now();
  step('read');
  await sink.apply(place, made satisfies WritePlan, context);
  step('write');
  const left = planFor(entries, await sink.read(place, context), policy);
  step('read');
  if (left.kind !== 'unchanged') throw new Error('the read-back found something else');
  return { first: planned - began, proven: performance.now() - planned };
}

async function bareTurn(bare: Bare, place: Place, entries: readonly RenderedEntry[], step: (name: string) => void = nothing): Promise<Turn> {
  const began = performance.now();
  // The very first time there is nothing to read.
  await bare.read(place, entries).catch(() => []);
  const planned = performance.now();
  step('read');
  await bare.write(place, entries);
  step('write');
  const found = await bare.read(place, entries);
  step('read');
  if (entries.some(({ text }, index) => found[index] !== text)) throw new Error(`the driver reads ${found[0]} where ${entries[0]?.text} was written`);
  return { first: planned - began, proven: performance.now() - planned };
}

/** How often a request waits for a reply, as a proxy sees it; those under way at the same time count as one, or a few. */
async function countRounds(stage: Stage, ours: Place, theirs: Place, [first, second]: readonly (readonly RenderedEntry[])[], policy: Policy) {
  const proxies = await Promise.all([startTcpProxy(stage.address ?? { host: '', port: 0 }), startTcpProxy(stage.address ?? { host: '', port: 0 })]);
  const [sink, bare] = await Promise.all([stage.sink(proxies[0]), stage.bare(proxies[1])]);
  try {
    const counts: Record<'sink' | 'bare', string[]> = { sink: [], bare: [] };
    const stepper = (proxy: TcpProxy, into: string[]) => () => {
      into.push(String(proxy.turns().filter(({ direction }) => direction === 'request').length));
      proxy.watch();
    };
    await sinkTurn(sink, ours, first ?? [], policy);
    await bareTurn(bare, theirs, first ?? []);
    for (const proxy of proxies) proxy.watch();
    await sinkTurn(sink, ours, second ?? [], policy, stepper(proxies[0], counts.sink));
    await bareTurn(bare, theirs, second ?? [], stepper(proxies[1], counts.bare));
    return { sink: counts.sink.join(' + '), bare: counts.bare.join(' + ') };
  } finally {
    await Promise.all([sink.close(), bare.close()]);
    await Promise.all(proxies.map((proxy) => proxy.stop()));
  }
}

function planFor(entries: readonly RenderedEntry[], live: LiveState, policy: Policy): Plan {
  const owner = { tenant: 'bench', rule: 'settings', environment: 'production' };
  const at = new Date().toISOString();
  return plan({ entries, owner, stream: 'config/main', commit: 'a'.repeat(40), inputsMoved: false, write: randomUUID(), at }, live, policy, fingerprint);
}

function policyFor({ definition }: Kind, { layout }: DestinationFields): Policy {
  const { ownership = 'keys', values = 'readable' } = definition.layouts[layout] ?? {};
  const allowed = { maxDeletes: null, deletesAllowed: false, isProtected: () => false, inherits: () => false };
  return { ownership, readBack: values, prune: true, onExisting: 'refuse', ...allowed };
}

function placeAt(stage: Stage, fields: DestinationFields): Place {
  return { name: stage.placeName(fields.layout), layout: fields.layout, fields };
}

function nothing(): void {}
