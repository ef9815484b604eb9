import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as later } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { requestResults } from '../../clients/sync-result.ts';
import { sinkDefinitions, type SinkKind } from '../../sinks/registry.ts';
import { startNineSinks } from '../../test/servers/nine-sinks.ts';
import type { OneSink } from '../../test/servers/nine-sinks/one-sink.ts';
import { syncWorkflowId } from '../../workflows/messages.ts';
import { makeCommits } from '../make-commits.ts';
import { startProduct, type Product } from '../product.ts';
import { percentile, table } from '../statistics.ts';
import { stepsOf, STEPS, type Steps } from './heal-steps.ts';

export interface HealOptions {
  /** Of each kind and way, each at a place of its own: a second heal of the same one would wait. */
  readonly edits: number;
  /** Where nothing but the interval finds them. */
  readonly intervalSeconds: number;
  /** All unless named. */
  readonly kinds: readonly string[];
}

/** `told`: the sink tells of changes, and no interval ends meanwhile. `asked`: nothing but the interval finds them. */
type Way = 'told' | 'asked';

interface Heal {
  readonly ms: number;
  /** Of a workflow that does nothing, just then: how fast the machine is. */
  readonly floorMs: number;
  readonly steps: Steps;
}

const WARM_UP = 3;
const TOLD_INTERVAL_SECONDS = 3_600;
const HEALED_WITHIN_MS = 60_000;
/** Between two looks at the place, by the sink's own client. */
const LOOK_EVERY_MS = 5;

/** From the moment at which an edit by hand is done until the sink's own client sees the value of before again. */
export async function measureHeals({ edits, intervalSeconds, kinds }: HealOptions): Promise<void> {
  const wanted = (kind: SinkKind): boolean => kinds.length === 0 || kinds.includes(kind);
  const rows: Record<string, string>[] = [];
  const steps: Record<string, string>[] = [];
  for (const way of ['told', 'asked'] as const) {
    const only = (kind: SinkKind): boolean => wanted(kind) && (way === 'asked' || sinkDefinitions[kind].notifies);
    const environments = Array.from({ length: edits + WARM_UP }, (_, n) => `${way}${n}`);
    const nine = await startNineSinks(environments, only);
    try {
      const seconds = way === 'told' ? TOLD_INTERVAL_SECONDS : intervalSeconds;
      const tenants = (places: { repository: string }): string => nine.sinks.map((sink) => tenantYaml(sink, environments, places.repository, seconds)).join('');
      const product = await startProduct(tenants, { env: nine.credentials, ...(way === 'asked' && { worker: 'bench/drift/untold-worker.ts' }) });
      const env = { ...process.env, IDLE_WORKER_ADDRESS: product.address };
      const idle = spawn(process.execPath, ['bench/idle-worker.ts'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
      try {
        const [commit = ''] = makeCommits(product.bare, 'main', [{ 'settings.yaml': 'name: good\nsize: 5\n', 'schema.cue': 'name: string\nsize: int\n' }]);
        for (const sink of nine.sinks) {
          const heals = await measureSink(product, sink, environments, commit, way === 'told' ? 1 : intervalSeconds);
          rows.push(rowOf(sink.kind, way, intervalSeconds, heals));
          steps.push(stepsRow(sink.kind, way, heals));
          console.log(JSON.stringify(rows.at(-1)));
        }
      } finally {
        idle.kill('SIGKILL');
        await product.stop();
      }
    } finally {
      await nine.stop();
    }
  }
  console.log(
    `\nfrom the edit to the value of before; where the sink does not tell, a check every ${intervalSeconds} s; floor: a workflow that does nothing\n\n${table(rows)}\n`,
  );
  console.log(`milliseconds since the edit, medians\n\n${table(steps)}`);
}

async function measureSink(product: Product, sink: OneSink, environments: readonly string[], commit: string, spreadSeconds: number): Promise<readonly Heal[]> {
  const runs = product.client.workflow.getHandle(syncWorkflowId(sink.kind, 'config', 'main'));
  const status = await product.post(sink.kind, commit);
  if (status !== 202) throw new Error(`the webhook was answered ${status}`);
  const { requests } = await requestResults(runs);
  const outcome = requests.at(-1)?.outcome;
  if (outcome?.status !== 'Synced' && outcome?.status !== 'Unchanged') throw new Error(`${sink.kind}: ${JSON.stringify(outcome)}`);
  await later(3_000);
  const heals: Heal[] = [];
  for (const [n, environment] of environments.entries()) {
    // At any moment of the interval.
    await later(500 + Math.random() * spreadSeconds * 1_000);
    const before = await sink.look(environment);
    await sink.edit(environment, { name: 'by-hand' });
    const edited = Date.now();
    const spoiled = await sink.look(environment);
    const isHealed = async (): Promise<boolean> => isDeepStrictEqual(await sink.look(environment), before);
    if (isDeepStrictEqual(spoiled, before)) throw new Error(`${sink.kind} ${environment}: the edit changed nothing`);
    while (!(await isHealed())) {
      if (Date.now() > edited + HEALED_WITHIN_MS) throw new Error(`${sink.kind} ${environment}: it is not healed`);
      await later(LOOK_EVERY_MS);
    }
    const ms = Date.now() - edited;
    await requestResults(runs);
    const floorMs = await timeEmptyWorkflow(product);
    if (n >= WARM_UP) heals.push({ ms, floorMs, steps: { ...(await stepsOf(product.client, sink.kind, edited)), seen: ms } });
  }
  return heals;
}

/** From the start to the result. */
async function timeEmptyWorkflow({ client }: Product): Promise<number> {
  const began = performance.now();
  await client.workflow.execute('emptyWorkflow', { taskQueue: 'idle', workflowId: `empty-${randomUUID()}`, args: [] });
  return performance.now() - began;
}

function rowOf(kind: string, way: Way, intervalSeconds: number, heals: readonly Heal[]): Record<string, string> {
  const times = heals.map(({ ms }) => ms);
  const floors = heals.map(({ floorMs }) => floorMs);
  const aim = way === 'told' ? 1_000 : (intervalSeconds + 1) * 1_000;
  const p95 = percentile(times, 0.95);
  const of = (ms: number): string => ms.toFixed(0);
  return {
    sink: kind,
    'found by': way === 'told' ? 'the sink tells' : `interval of ${intervalSeconds} s`,
    edits: String(heals.length),
    'p50 ms': of(percentile(times, 0.5)),
    'p95 ms': of(p95),
    'most ms': of(Math.max(...times)),
    'floor, p50 ms': of(percentile(floors, 0.5)),
    'floor, p95 ms': of(percentile(floors, 0.95)),
    'aim, p95 ms': `${of(aim)}: ${p95 < aim ? 'reached' : 'missed'}`,
  };
}

function stepsRow(kind: string, way: Way, heals: readonly Heal[]): Record<string, string> {
  const medians = STEPS.map((step) => {
    const known = heals.flatMap(({ steps }) => steps[step] ?? []);
    return [step, known.length === 0 ? '' : percentile(known, 0.5).toFixed(0)] as const;
  });
  return { sink: kind, way, ...Object.fromEntries(medians) };
}

function tenantYaml({ kind, options, destination }: OneSink, environments: readonly string[], repository: string, intervalSeconds: number): string {
  const rule = (environment: string): string => `      ${environment}:
        from: { repository: config, files: [ "settings.yaml" ] }
        environments: { branches: { main: production } }
        schema: { file: schema.cue }
        to: ${JSON.stringify([{ sink: kind, ...destination, place: destination.place.replaceAll('{env}', environment) }])}
        drift: { interval: ${intervalSeconds}s }
`;
  return `  ${kind}:
    repositories: { config: { provider: generic, url: "${repository}", webhookSecret: { env: WEBHOOK_SECRET }, poll: off } }
    sinks: { ${kind}: ${JSON.stringify({ kind, ...options })} }
    rules:
${environments.map(rule).join('')}`;
}
