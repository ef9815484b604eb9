import { afterAll, beforeAll, expect, it } from 'vitest';
import { requestResults } from '../../clients/sync-result.ts';
import type { WatchedTarget } from '../../domain/drift.ts';
import type { RunOutcome } from '../../domain/status.ts';
import { sinkDefinitions, type SinkKind } from '../../sinks/registry.ts';
import type { Capabilities } from '../../sinks/sink.ts';
import { checkNowSignal, forceHealSignal, syncWorkflowId } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { neededServers, startNineSinks, type NineSinks } from '../servers/nine-sinks.ts';
import type { OneSink } from '../servers/nine-sinks/one-sink.ts';
import { openStack, type Stack } from './stack.ts';
import { eventually, watchOf } from './watch-of.ts';

const KINDS = Object.keys(sinkDefinitions) as SinkKind[];
const SERVERS = [...new Set(Object.values(neededServers).flat())];
/** Each with targets and a branch of its own, since the second heal of a target waits. */
const HEALED = ['edited', 'unclaimed', 'cleared'];
const ENVIRONMENTS = [...HEALED, 'told'];
const SLOW = { timeout: 60_000 };

describeWith(['temporal', ...SERVERS], 'drift at nine sinks', () => {
  let nine: NineSinks;
  let stack: Stack;

  beforeAll(async () => {
    nine = await startNineSinks(ENVIRONMENTS);
    const sealed = { sink: 'vercel', place: 'checkout-told', targets: ['preview'], type: 'sensitive' };
    stack = await openStack({
      env: nine.credentials,
      tenant: `repositories:
  config: { provider: generic, url: "{repository}", webhookSecret: { env: STACK_WEBHOOK_SECRET }, poll: off }
sinks:
${nine.sinksYaml}
rules:
  healed:
    from: { repository: config, files: [ settings.yaml ] }
    environments: { branches: { edited: edited, unclaimed: unclaimed, cleared: cleared } }
    schema: none
    timeout: 40s
    to: ${nine.toYaml}
    drift: { mode: heal, interval: 2s }
  told:
    from: { repository: config, files: [ settings.yaml ] }
    environments: { branches: { told: told } }
    schema: none
    timeout: 40s
    to: ${nine.toYaml}
    drift: { mode: warn, interval: 2s }
  sealed:
    from: { repository: config, files: [ sealed.yaml ] }
    environments: { branches: { told: told } }
    schema: none
    to: [ ${JSON.stringify(sealed)} ]
    drift: { mode: warn, interval: 2s }
`,
    });
    const files = { 'settings.yaml': 'name: checkout\nlevel: info\npool: { size: 5 }\n', 'sealed.yaml': 'key: abc\nother: def\n' };
    const outcomes: Promise<RunOutcome>[] = [];
    for (const branch of ENVIRONMENTS) {
      const commit = await stack.repository.commit(files, branch);
      const delivery = `first-${branch}`;
      await stack.deliver(commit, { branch, delivery });
      outcomes.push(stack.outcomeOf(branch, delivery));
    }
    for (const { status, summary } of await Promise.all(outcomes)) if (status !== 'Synced') throw new Error(`a push ended as ${status}: ${summary}`);
    // Branches that are new are found with the next look at the remote.
    await watch().signal(checkNowSignal, {});
    await allApplied();
  }, 120_000);
  afterAll(async () => {
    await stack?.close();
    await nine?.stop();
  });

  const watch = () => watchOf(stack);
  const state = () => watch().state();
  const allApplied = () => {
    const all = ['Unverifiable', ...ENVIRONMENTS.flatMap(() => KINDS.map(() => 'InSync'))];
    return eventually(async () => expect((await state()).targets.map(({ status }) => status)).toEqual(all));
  };
  const of = (targets: readonly WatchedTarget[], environment: string, rule = environment === 'told' ? 'told' : 'healed') =>
    Object.fromEntries(targets.filter((each) => each.environment === environment && each.rule === rule).map((each) => [each.kind, each]));

  async function everywhere<T>(act: (sink: OneSink) => Promise<T>): Promise<Readonly<Record<string, T>>> {
    return Object.fromEntries(await Promise.all(nine.sinks.map(async (sink) => [sink.kind, await act(sink)] as const)));
  }
  const look = (environment: string) => everywhere((sink) => sink.look(environment));
  /** One value of ours is changed, one is removed, and one of somebody else's comes. */
  const edit = (environment: string) => everywhere((sink) => sink.edit(environment, { name: 'by hand', level: null, stranger: 'mine' }));
  const allAs = <T>(given: T) => Object.fromEntries(KINDS.map((kind) => [kind, given]));

  async function lastOutcome(environment: string): Promise<RunOutcome> {
    const { requests } = await requestResults(stack.temporal.client.workflow.getHandle(syncWorkflowId(stack.tenant, 'config', environment)));
    const last = requests.at(-1);
    if (!last) throw new Error('a run without requests');
    return last.outcome;
  }

  async function settled(environment: string): Promise<void> {
    await eventually(async () => {
      const found = of((await state()).targets, environment);
      expect(Object.fromEntries(Object.values(found).map(({ kind, status, message }) => [kind, message ?? status]))).toEqual(allAs('InSync'));
    });
  }

  it('is put right at all of them, and what is somebody else’s stays', SLOW, async () => {
    const before = await look('edited');
    await edit('edited');
    await eventually(async () => expect(withoutStrangers(await look('edited'))).toEqual(before));
    await settled('edited');
    const now = await look('edited');
    expect(KINDS.filter((kind) => holdsStranger(now[kind]))).toEqual(KINDS.filter(isShared));
    // Once each: what was healed stayed so.
    const heals = Object.values(of((await state()).targets, 'edited')).map((each) => [each.kind, each.heals?.length]);
    expect(Object.fromEntries(heals)).toEqual(allAs(1));
  });

  it('is told where the rule only warns, key by key, and put right when a person says so', SLOW, async () => {
    const before = await look('told');
    await edit('told');
    const drifted = await look('told');
    await eventually(async () => {
      const found = of((await state()).targets, 'told');
      expect(Object.values(found).map(({ kind, status }) => [kind, status])).toEqual(expect.arrayContaining(KINDS.map((kind) => [kind, 'Drifted'])));
      for (const kind of KINDS) {
        const keys = Object.fromEntries((found[kind]?.keys ?? []).map(({ key, drift }) => [key.toLowerCase(), drift]));
        expect(keys, kind).toEqual({ name: 'changed', level: 'missing', ...(!isShared(kind) && { stranger: 'extra' }) });
      }
    });
    expect(await state()).toMatchObject({ status: 'Drifted' });
    expect(await look('told')).toEqual(drifted);

    await watch().signal(forceHealSignal, { by: 'ann', reason: 'the script is stopped' });
    await eventually(async () => expect(withoutStrangers(await look('told'))).toEqual(before));
    await settled('told');
  });

  it('of a ledger that was removed is adoption, and no value is written', SLOW, async () => {
    const before = await look('unclaimed');
    await everywhere((sink) => sink.loseLedger('unclaimed'));
    await eventually(async () => {
      const heals = Object.values(of((await state()).targets, 'unclaimed')).map((each) => [each.kind, each.heals?.length]);
      expect(Object.fromEntries(heals)).toEqual(allAs(1));
    });
    await settled('unclaimed');
    expect(await look('unclaimed')).toEqual(before);
    const { targets } = await lastOutcome('unclaimed');
    expect(targets.flatMap(({ kind, changes }) => (changes && changes.puts + changes.deletes > 0 ? [kind] : []))).toEqual([]);
  });

  it('of a place that was removed as a whole is a new one', SLOW, async () => {
    const before = await look('cleared');
    await everywhere((sink) => sink.clear('cleared'));
    await eventually(async () => expect(await look('cleared')).toEqual(before));
    await settled('cleared');
  });

  it('of values that cannot be read back is seen where one is missing, and never said to be fine', SLOW, async () => {
    const sealed = async () => of((await state()).targets, 'told', 'sealed')['vercel'];
    const vercel = nine.sinks.find(({ kind }) => kind === 'vercel');
    await vercel?.edit('told', { key: 'by hand' });
    await watch().signal(checkNowSignal, {});
    await eventually(async () => expect((await state()).busy).toBeUndefined());
    expect(await sealed()).toMatchObject({ status: 'Unverifiable' });
    await vercel?.edit('told', { other: null });
    await eventually(async () => expect(await sealed()).toMatchObject({ status: 'Drifted', keys: [{ key: 'OTHER', drift: 'missing' }] }));
    await watch().signal(forceHealSignal, { by: 'ann', targets: ['sealed/told/0'] });
    await eventually(async () => expect(await sealed()).toMatchObject({ status: 'Unverifiable' }));
    expect(await vercel?.look('told')).toMatchObject({ OTHER: 'def' });
  });
});

/** Whether a place has room for keys of others. */
function isShared(kind: SinkKind): boolean {
  const [first] = Object.values<Capabilities>(sinkDefinitions[kind].layouts);
  return first?.ownership === 'keys';
}

function holdsStranger(values: unknown): boolean {
  return /stranger/i.test(JSON.stringify(values));
}

function withoutStrangers(values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(values).map(([kind, found]) => {
      if (!isShared(kind as SinkKind) || typeof found !== 'object' || found === null) return [kind, found];
      return [kind, Object.fromEntries(Object.entries(found).filter(([key]) => key.toLowerCase() !== 'stranger'))];
    }),
  );
}
