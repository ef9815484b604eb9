import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Ledger } from '../../domain/ledger.ts';
import type { RunOutcome } from '../../domain/status.ts';
import { sinkDefinitions, type SinkKind } from '../../sinks/registry.ts';
import type { SinkDefinition } from '../../sinks/sink.ts';
import type { WorkerParts } from '../../worker/create-worker.ts';
import { syncWorkflowId } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { neededServers, startNineSinks, type NineSinks } from '../servers/nine-sinks.ts';
import type { OneSink } from '../servers/nine-sinks/one-sink.ts';
import { activityTimes, type ActivityTimes } from './activity-times.ts';
import { openStack, type Stack } from './stack.ts';

const KINDS = Object.keys(sinkDefinitions) as SinkKind[];
const SERVERS = [...new Set(Object.values(neededServers).flat())];
/** Environments whose rules differ in what a failure means. */
const ENVIRONMENTS = ['production', 'continuing', 'halting'];
/** How much longer than its slowest write a push may take. */
const MOST = 1.3;
const SLOW = { timeout: 60_000 };

describeWith(['temporal', ...SERVERS], 'one push to nine sinks', () => {
  let nine: NineSinks;
  let stack: Stack;
  let parts: WorkerParts;
  const writes = watchWrites();
  let pushes = 0;

  beforeAll(async () => {
    nine = await startNineSinks(ENVIRONMENTS);
    const rule = (environment: string, branch: string, onFailure: string): string => `  ${environment}:
    from: { repository: config, files: [ settings.yaml ] }
    environments: { branches: { ${branch}: ${environment} } }
    schema: none
    onFailure: ${onFailure}
    timeout: 40s
    to: ${nine.toYaml}`;
    stack = await openStack({
      env: nine.credentials,
      definitions: writes.definitions,
      tenant: `repositories:
  config: { provider: generic, url: "{repository}", webhookSecret: { env: STACK_WEBHOOK_SECRET }, poll: off }
sinks:
${nine.sinksYaml}
rules:
${rule('production', 'main', 'compensate')}
${rule('continuing', 'continuing', 'continue')}
${rule('halting', 'halting', 'halt')}
`,
    });
    parts = await stack.workerParts();
    // Connections are made and charts are read by the first push, so that the others are told by what they do.
    const first = await push('main');
    if (first.status !== 'Synced') throw new Error(`the first push ended as ${first.status}: ${first.summary}`);
  }, 120_000);
  afterAll(async () => {
    await parts?.close();
    await stack?.close();
    await nine?.stop();
  });

  /** Values no earlier push had; a key that stays, one that changes, one that goes and one that comes. */
  function push(branch: string): Promise<RunOutcome> {
    pushes++;
    return stack.push({ 'settings.yaml': `name: checkout\npool: { size: ${pushes} }\nonly${pushes}: true\n` }, branch);
  }

  async function everywhere<T>(act: (sink: OneSink) => Promise<T>): Promise<Readonly<Record<string, T>>> {
    return Object.fromEntries(await Promise.all(nine.sinks.map(async (sink) => [sink.kind, await act(sink)] as const)));
  }

  const look = (environment: string) => everywhere((sink) => sink.look(environment));
  const trace = (environment: string) => everywhere((sink) => sink.trace(environment));
  const ends = ({ targets }: RunOutcome) => Object.fromEntries(targets.map(({ kind, status }) => [kind, status]));
  const allAs = (status: string) => Object.fromEntries(KINDS.map((kind) => [kind, status]));
  const sinkOf = (kind: SinkKind): OneSink => {
    const found = nine.sinks.find((sink) => sink.kind === kind);
    if (!found) throw new Error(`there is no ${kind}`);
    return found;
  };

  function ledgers(): Promise<Readonly<Record<string, Ledger | null>>> {
    const { bundle, sinks, fingerprint } = parts.deps;
    const to = bundle().tenants[stack.tenant]?.rules['production']?.to ?? [];
    return everywhere(async ({ kind }) => {
      const destination = to.find(({ sink }) => sink === kind);
      const { place = '', layout = '', fields } = destination ?? {};
      const sink = await sinks.get(bundle(), stack.tenant, kind);
      const name = place.replace('{env}', 'production');
      return (await sink.read({ name, layout, fields }, { signal: AbortSignal.timeout(20_000), keys: [], fingerprint })).ledger;
    });
  }

  /** What Temporal's history says of the nine writes of the last push. */
  async function writeTimes(): Promise<{ readonly ratio: number; readonly late: readonly string[]; readonly text: string }> {
    const { client } = stack.temporal;
    const times = (await activityTimes(client, syncWorkflowId(stack.tenant, 'config', 'main'), 'applyTarget')).slice(-KINDS.length);
    const own = ({ started, ended }: ActivityTimes): number => ended - started;
    const [slowest] = times.toSorted((a, b) => own(b) - own(a));
    if (!slowest || times.length < KINDS.length) throw new Error(`the history has ${times.length} writes`);
    const begin = Math.min(...times.map(({ scheduled }) => scheduled));
    const total = Math.max(...times.map(({ ended }) => ended)) - begin;
    const ratio = total / own(slowest);
    const lines = times.map((each) => `${each.summary}: began after ${(each.started - begin).toFixed()} ms, took ${own(each).toFixed()} ms`);
    const inOrder = times.reduce((sum, each) => sum + own(each), 0);
    const sum = `all nine: ${total.toFixed()} ms, ${ratio.toFixed(2)} times the slowest; one after another it would have been ${inOrder.toFixed()} ms`;
    return { ratio, late: times.filter(({ started }) => started >= slowest.ended).map(({ summary }) => summary), text: [...lines, sum].join('\n') };
  }

  async function whileRefused<T>(kind: SinkKind, environment: string, act: () => Promise<T>): Promise<T> {
    await sinkOf(kind).refuseWrites(environment);
    try {
      return await act();
    } finally {
      await sinkOf(kind).allowWrites(environment);
    }
  }

  it('is written at all of them at the same time, and takes as long as the slowest', SLOW, async () => {
    const before = await look('production');
    expect(ends(await push('main'))).toEqual(allAs('Synced'));
    const after = await look('production');
    for (const kind of KINDS) {
      expect(JSON.stringify(after[kind]), kind).toMatch(new RegExp(`only_?${pushes}`, 'i'));
      expect(after[kind], kind).not.toEqual(before[kind]);
    }

    // Of a machine that has other things to do, the best of three counts; one after another would be three times the slowest or more, every time.
    const figures = [await writeTimes()];
    while (figures.length < 3 && Math.min(...figures.map(({ ratio }) => ratio)) > MOST) {
      expect(ends(await push('main'))).toEqual(allAs('Synced'));
      figures.push(await writeTimes());
    }
    console.log(figures.map(({ text }) => text).join('\n'));
    // Nobody waited for another: each had begun before the slowest was done.
    for (const { late } of figures) expect(late).toEqual([]);
    expect(Math.min(...figures.map(({ ratio }) => ratio))).toBeLessThan(MOST);
  });

  it.each(KINDS)('goes back at the others, to exactly what they had, when %s refuses to be written to', SLOW, async (kind) => {
    const [values, owned] = [await look('production'), await ledgers()];
    // The hardest case: it fails when all the others have been written.
    writes.holdBack(kind);
    const outcome = await whileRefused(kind, 'production', () => push('main')).finally(writes.letGo);
    expect(outcome.status, JSON.stringify(outcome.targets, null, 1)).toBe('RolledBack');
    expect(ends(outcome)).toEqual({ ...allAs('Restored'), [kind]: 'Failed' });
    expect(outcome.summary).toMatch(new RegExp(`^all targets are as before: rule production: ${kind}: .`));
    expect(await look('production')).toEqual(values);

    const now = await ledgers();
    for (const each of KINDS) {
      const [then, since] = [owned[each], now[each]];
      expect(since, each).toMatchObject({ commit: then?.commit, keys: then?.keys, state: 'committed', owner: then?.owner });
      // What was written and undone moved on, so that a late write still meets a conflict.
      if (each !== kind) expect(since, each).toMatchObject({ generation: (then?.generation ?? 0) + 2, write: expect.stringMatching(/^undo:/) as string });
    }
  });

  it('is written everywhere again once nobody refuses any more', SLOW, async () => {
    expect(ends(await push('main'))).toEqual(allAs('Synced'));
  });

  it('stays at the other eight where the rule says continue', SLOW, async () => {
    const outcome = await whileRefused('consul', 'continuing', () => push('continuing'));
    expect(outcome.status).toBe('Partial');
    expect(ends(outcome)).toEqual({ ...allAs('Synced'), consul: 'Failed' });
    const there = await look('continuing');
    expect(KINDS.filter((kind) => there[kind] === null)).toEqual(['consul']);
  });

  it('goes no further than the one that fails where the rule says halt', SLOW, async () => {
    const outcome = await whileRefused('configmap', 'halting', () => push('halting'));
    expect(outcome.status).toBe('Partial');
    const order = nine.sinks.map(({ kind }) => kind);
    const failed = order.indexOf('configmap');
    expect(ends(outcome)).toEqual(Object.fromEntries(order.map((kind, index) => [kind, index < failed ? 'Synced' : index === failed ? 'Failed' : 'Skipped'])));
    const there = await look('halting');
    expect(order.filter((kind) => there[kind] !== null)).toEqual(order.slice(0, failed));
  });

  it('writes nothing at any of them when nothing of it changed (I10)', SLOW, async () => {
    expect(await push('main')).toMatchObject({ status: 'Synced' });
    const before = await trace('production');
    const calls = writes.calls.length;
    const outcome = await stack.push({ 'README.md': 'No values of the rule.\n' });
    expect(outcome).toMatchObject({ status: 'Unchanged' });
    expect(ends(outcome)).toEqual(allAs('Unchanged'));
    expect(writes.calls.slice(calls)).toEqual([]);
    expect(await trace('production')).toEqual(before);
  });
});

/** All kinds, with a note of each call that may write. */
function watchWrites() {
  const calls: string[] = [];
  let others: { readonly than: SinkKind; readonly missing: Set<string>; readonly done: PromiseWithResolvers<void> } | undefined;

  function watched(definition: SinkDefinition): SinkDefinition {
    const { kind } = definition;
    return {
      ...definition,
      async connect(options, resolve) {
        const sink = await definition.connect(options, resolve);
        return {
          read: (place, context) => sink.read(place, context),
          async apply(place, plan, context) {
            calls.push(`${kind} ${place.name}`);
            if (kind === others?.than) await others.done.promise;
            const receipt = await sink.apply(place, plan, context);
            others?.missing.delete(kind);
            if (others?.missing.size === 0) others.done.resolve();
            return receipt;
          },
          restore(place, generation, context) {
            calls.push(`${kind} ${place.name}`);
            return sink.restore(place, generation, context);
          },
          close: () => sink.close(),
        };
      },
    };
  }

  return {
    calls,
    definitions: Object.fromEntries(Object.values<SinkDefinition>(sinkDefinitions as never).map((each) => [each.kind, watched(each)])),
    /** From here on this one's writes wait until all others have written once. */
    holdBack: (kind: SinkKind) => {
      others = { than: kind, missing: new Set(KINDS.filter((each) => each !== kind)), done: Promise.withResolvers() };
    },
    letGo: () => {
      others?.done.resolve();
      others = undefined;
    },
  };
}
