import { expect, onTestFinished, test } from 'vitest';
import type { LiveState, WritePlan } from '../../../domain/plan.ts';
import type { SinkError } from '../../../sinks/errors.ts';
import type { Sink } from '../../../sinks/sink.ts';
import { breakPoints, holdPoints } from '../../faults/break-points.ts';
import { startTcpProxy, type Fault, type TcpProxy } from '../../faults/tcp-proxy.ts';
import { contextFor, failure, type Scenario, type Scenarios, type Values } from './scenario.ts';

const was: Values = { host: 'db1', port: 1, old: 'x' };
const wanted: Values = { host: 'db2', port: 1, fresh: 'y' };
const newer: Values = { host: 'db3', port: 1, fresh: 'z' };
const theirs: Values = { theirs: 'by hand' };

/** How many resets a case stages, and how many of each of the other faults; and how many late requests. */
const MANY = { resets: 6, others: 2, late: 3 };
const FEW = { resets: 3, others: 1, late: 1 };
/** Nobody waits longer for a network that is broken; that drivers have limits of their own is another case's. */
const GIVE_UP_MS = 5_000;
/** Each case makes a dozen writes or more, one after the other, and those of some kinds take a second on a busy machine. */
const MANY_WRITES_MS = 120_000;

/** What a network that breaks in every way at every step of a call may lead to, and what it may not. */
export function faultCases(scenarios: Scenarios): void {
  const shared = scenarios.capabilities.ownership === 'keys';
  const most = scenarios.leg.faults === 'few' ? FEW : MANY;
  const places = [
    ['an absent place', {}],
    ['a place of ours', was],
  ] as const;

  test(
    'a read over a network that breaks anywhere fails or is whole, and is never empty (I3)',
    async () => {
      const net = await throughProxies();
      const it = await prepared(was, net.direct);
      const read = (sink: Sink, signal: AbortSignal) => sink.read(it.place, contextFor(it.render(was), signal));
      const whole = comparable(await it.read(was));
      await net.warm(it);
      for (const fault of breakPoints(await net.rehearse((sink) => read(sink, AbortSignal.timeout(GIVE_UP_MS))), most)) {
        const outcome = await net.broken(fault, read);
        if (outcome instanceof Error) await failure(Promise.reject(outcome), 'unavailable');
        else expect(comparable(outcome), describeFault(fault)).toEqual(whole);
        await net.recovered(it);
      }
      net.expectMet();
    },
    MANY_WRITES_MS,
  );

  test(
    'a connection that breaks while it is made fails the read, or is made once more, and is of use afterwards',
    async () => {
      const cold = await throughProxies();
      const it = await prepared(was, cold.direct);
      const read = (sink: Sink, signal: AbortSignal) => sink.read(it.place, contextFor(it.render(was), signal));
      const whole = comparable(await it.read(was));
      const turns = await cold.rehearse((sink) => read(sink, AbortSignal.timeout(GIVE_UP_MS)));
      for (const fault of breakPoints(turns, { resets: most.late, others: 0 })) {
        const net = await throughProxies();
        const outcome = await net.broken(fault, read);
        if (outcome instanceof Error) await failure(Promise.reject(outcome), 'unavailable');
        else expect(comparable(outcome), describeFault(fault)).toEqual(whole);
        await net.recovered(it);
      }
    },
    MANY_WRITES_MS,
  );

  test.each(places)(
    'a write to %s over a network that breaks anywhere is done or not told as done, and is finished or undone after that',
    async (_name, before) => {
      const net = await throughProxies();
      const write = (it: Scenario, made: WritePlan) => (sink: Sink, signal: AbortSignal) => sink.apply(it.place, made, contextFor(made.entries, signal));
      const untouched = await contentOf(before, net.direct);
      const done = await contentOf(wanted, net.direct);
      const first = await prepared(before, net.direct);
      const made = await first.planWrite(wanted);
      await net.warm(first);
      const turns = await net.rehearse((sink) => write(first, made)(sink, AbortSignal.timeout(GIVE_UP_MS)));
      for (const [index, fault] of breakPoints(turns, most).entries()) {
        const it = await prepared(before, net.direct);
        const plan = await it.planWrite(wanted);
        const outcome = await net.broken(fault, write(it, plan));
        if (outcome instanceof Error) await failure(Promise.reject(outcome), 'unavailable');
        else expect((await it.look()).content, `told as done: ${describeFault(fault)}`).toEqual(done);
        await net.recovered(it);
        if (index % 2 === 0) {
          const again = await it.plan(wanted);
          if (again.kind === 'write') await it.apply(again, net.sink);
          expect(await it.plan(wanted)).toMatchObject({ kind: 'unchanged' });
          expect((await it.look()).content, `finished after ${describeFault(fault)}`).toEqual(done);
        } else {
          const { generation } = await net.sink.restore(it.place, plan.ledger.generation, contextFor([]));
          expect((await it.look()).content, `undone after ${describeFault(fault)}`).toEqual(untouched);
          if (generation > plan.ledger.generation) await failure(it.apply(plan), 'conflict');
        }
      }
    },
    MANY_WRITES_MS,
  );

  test(
    'an undo over a network that breaks anywhere is done or not told as done, and is finished after that',
    async () => {
      const net = await throughProxies();
      const undo = (it: Scenario, generation: number) => (sink: Sink, signal: AbortSignal) => sink.restore(it.place, generation, contextFor([], signal));
      const untouched = await contentOf(was, net.direct);
      const first = await prepared(was, net.direct);
      const receipt = await first.sync(wanted);
      await net.warm(first);
      const turns = await net.rehearse((sink) => undo(first, receipt.generation)(sink, AbortSignal.timeout(GIVE_UP_MS)));
      for (const fault of breakPoints(turns, most)) {
        const it = await prepared(was, net.direct);
        const { generation } = await it.sync(wanted);
        const outcome = await net.broken(fault, undo(it, generation));
        if (outcome instanceof Error) await failure(Promise.reject(outcome), 'unavailable');
        else expect((await it.look()).content, `told as done: ${describeFault(fault)}`).toEqual(untouched);
        await net.recovered(it);
        expect(await net.sink.restore(it.place, generation, contextFor([]))).toMatchObject({ generation: generation + 1 });
        expect((await it.look()).content, `undone after ${describeFault(fault)}`).toEqual(untouched);
      }
      net.expectMet();
    },
    MANY_WRITES_MS,
  );

  if (scenarios.leg.cannot?.['late request'] === undefined)
    test(
      'a request that the network keeps back and delivers after a newer write changes nothing (I7)',
      async () => {
        const net = await throughProxies();
        const done = await contentOf(newer, net.direct);
        const first = await prepared(was, net.direct);
        await net.warm(first);
        const made = await first.planWrite(wanted);
        const turns = await net.rehearse((sink) => first.apply(made, sink));
        for (const fault of holdPoints(turns, most.late)) {
          const it = await prepared(was, net.direct);
          const late = await it.planWrite(wanted);
          const outcome = await net.broken(
            fault,
            (sink, signal) => sink.apply(it.place, late, contextFor(late.entries, signal)),
            async () => {
              await it.sync(newer);
            },
          );
          if (outcome instanceof Error) await failure(Promise.reject(outcome), 'unavailable', 'conflict');
          await net.recovered(it);
          expect((await it.look()).content, describeFault(fault)).toEqual(done);
        }
        net.expectMet();
      },
      MANY_WRITES_MS,
    );

  test(
    'a slow network changes nothing',
    async () => {
      const net = await throughProxies();
      const it = await prepared(was, net.direct);
      await net.warm(it);
      net.slowDown(10);
      const made = await it.planWrite(wanted);
      expect(await it.apply(made, net.sink)).toEqual({ generation: 2, writes: 3 });
      expect(comparable(await net.sink.read(it.place, contextFor(it.render(wanted))))).toEqual(comparable(await it.read(wanted)));
      await net.sink.restore(it.place, 2, contextFor([]));
      expect((await it.look()).content).toEqual(await contentOf(was, net.direct));
    },
    MANY_WRITES_MS,
  );

  /** Over the direct connection, so that what is prepared and what is looked at has nothing to do with the fault. */
  async function prepared(before: Values, direct: Sink): Promise<Scenario> {
    const it = await scenarios.begin(direct);
    if (shared) await it.stranger(theirs);
    if (Object.keys(before).length > 0) await it.sync(before);
    return it;
  }

  /** What a stranger sees of a place with these values, and of those of others. */
  async function contentOf(values: Values, direct: Sink): Promise<unknown> {
    return (await (await prepared(values, direct)).look()).content;
  }

  async function throughProxies() {
    const { connectThrough } = scenarios.bench();
    if (!connectThrough) throw new Error('the bench of a leg with faults has to connect through a proxy');
    const proxies: TcpProxy[] = [];
    const sink = await connectThrough(async (server) => {
      const proxy = await startTcpProxy(server);
      onTestFinished(() => proxy.stop());
      proxies.push(proxy);
      return proxy;
    });
    onTestFinished(() => sink.close());
    return { ...createNetwork(sink, proxies), direct: await scenarios.connect() };
  }
}

function createNetwork(sink: Sink, proxies: readonly TcpProxy[]) {
  async function answers(it: Scenario): Promise<void> {
    await sink.read(it.place, contextFor([], AbortSignal.timeout(GIVE_UP_MS)));
  }
  let staged = 0;
  let met = 0;
  return {
    sink,
    /** Sizes of requests vary by some bytes, so not each call meets its fault; most have to. */
    expectMet: () => expect(met).toBeGreaterThan(staged / 2),
    slowDown: (ms: number) => proxies.forEach((proxy) => proxy.slowDown(ms)),
    warm: answers,
    /** The turns of a call over a connection that is there. */
    async rehearse(act: (sink: Sink) => Promise<unknown>) {
      for (const proxy of proxies) proxy.watch();
      await act(sink);
      return proxies.flatMap((proxy) => proxy.turns());
    },
    /** The result or the error of a call over a network that breaks, and mends only after it (and after `meanwhile`). */
    async broken<T>(fault: Fault, act: (sink: Sink, signal: AbortSignal) => Promise<T>, meanwhile?: () => Promise<void>): Promise<T | Error> {
      for (const proxy of proxies) proxy.watch(fault);
      const giveUp = new AbortController();
      const timer = setTimeout(() => giveUp.abort(), GIVE_UP_MS);
      let settled = false;
      const call = act(sink, giveUp.signal)
        .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
        .finally(() => (settled = true));
      // Where nobody is told of the break there is nothing to wait for.
      if (fault.how !== 'reset' && fault.how !== 'close') {
        await expect.poll(() => settled || proxies.some(({ struck }) => struck), { timeout: GIVE_UP_MS, interval: 2 }).toBe(true);
        giveUp.abort();
      }
      const outcome = await call;
      clearTimeout(timer);
      staged++;
      if (proxies.some(({ struck }) => struck)) met++;
      await meanwhile?.();
      for (const proxy of proxies) proxy.heal();
      await Promise.all(proxies.map(({ released }) => released));
      return outcome;
    },
    /** The same connection is of use again, soon. */
    recovered: async (it: Scenario) => {
      const works = (): Promise<true | SinkError> =>
        answers(it).then(
          () => true as const,
          (error: SinkError) => error,
        );
      await expect.poll(works, { timeout: 10_000, interval: 20 }).toBe(true);
    },
  };
}

function comparable({ exists, entries, ledger, version }: LiveState): unknown {
  return { exists, entries: [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1)), ledger, version };
}

function describeFault({ how, direction, after }: Fault): string {
  return `${how} after ${after} bytes of the ${direction}`;
}
