import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CheckedTarget } from '../../domain/drift.ts';
import { checkNowSignal, driftStateQuery, forceHealSignal, pauseSignal, renewSignal } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startTimeSkippingTemporal, type TimeSkippingServer } from '../servers/temporal-time-skipping.ts';
import { withDay, type Day, type DayWorld } from './drift-day.ts';
import { checkedTarget, eventually } from './drift-lab.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const OFTEN = 5 * MINUTE;
const SELDOM = 15 * MINUTE;
/** Time is not skipped while a task is under way, however slow the machine. */
const SLACK = MINUTE;
const FIGHT = { begin: 6 * HOUR, end: 7 * HOUR };
const PAUSE = { begin: 10 * HOUR, end: 10.5 * HOUR };
const OUTAGE = { begin: 12 * HOUR + MINUTE, end: 12 * HOUR + 20 * MINUTE };

describeWith('temporal-time-skipping', 'DriftWatchWorkflow in a day', () => {
  let server: TimeSkippingServer;
  beforeAll(async () => {
    server = await startTimeSkippingTemporal();
  });
  afterAll(() => server.stop());

  it('checks on time, heals what drifts, takes every message and keeps its histories short', async () => {
    const heals: { readonly id: string; readonly at: number }[] = [];
    const healsOf = (id: string): readonly number[] => heals.filter((heal) => heal.id === id).map(({ at }) => at);
    const healedBetween = (id: string, from: number, to: number): boolean => healsOf(id).some((at) => at >= from && at <= to);
    // Somebody changes the one by hand every two hours and the other once.
    const changes = { hand: Array.from({ length: 12 }, (_, index) => index * 2 * HOUR + 10 * MINUTE), once: [3 * HOUR] };
    const changed = (id: 'hand' | 'once', at: number): CheckedTarget => {
      const last = changes[id].findLast((each) => each <= at);
      return checkedTarget(id, last === undefined || healedBetween(id, last, at) ? 'InSync' : 'Drifted');
    };
    // For an hour a program sets it again and again; then nobody does, and the last of its values is left.
    const fought = (at: number): CheckedTarget => {
      if (at < FIGHT.begin || healedBetween('fought', FIGHT.end, at)) return checkedTarget('fought', 'InSync');
      return checkedTarget('fought', 'Drifted', { digest: `value of minute ${Math.floor(Math.min(at, FIGHT.end) / MINUTE)}` });
    };
    const warned = (at: number): CheckedTarget => checkedTarget('warned', healedBetween('warned', 0, at) ? 'InSync' : 'Drifted', { mode: 'warn' });
    const often = (at: number): readonly CheckedTarget[] => {
      if (at >= OUTAGE.begin && at < OUTAGE.end) throw new Error('no sink answers');
      return [changed('hand', at), fought(at), warned(at), checkedTarget('steady', 'InSync')];
    };
    const groups: DayWorld['groups'] = new Map([
      [OFTEN, often],
      [SELDOM, (at: number) => [changed('once', at)]],
    ]);
    const sent: string[] = [];

    await withDay(server, { groups, startsAt: OFTEN / 2, heal: (id, at) => void heals.push({ id, at }) }, async (day) => {
      const { watch } = day;
      for (let hour = 0; hour < 24; hour++) {
        if (hour * HOUR === PAUSE.begin) await watch.signal(pauseSignal, { by: 'ann', reason: 'maintenance', until: day.iso(PAUSE.end) });
        // All at once, and some as the run ends: between two runs is where one could be lost.
        const names = [0, 1, 2].map((index) => `message ${index} of hour ${hour}`);
        sent.push(...names);
        const isToEnd = hour % 4 === 3;
        await Promise.all([...names.map((name) => watch.signal(checkNowSignal, { targets: [name] })), ...(isToEnd ? [watch.signal(renewSignal)] : [])]);
        if (hour === 15) await watch.signal(forceHealSignal, { by: 'bob', targets: ['warned'] });
        await day.skipTo((hour + 1) * HOUR);
      }
      const asked = (): readonly string[] => day.checks.flatMap(({ input }) => input.targets);
      await eventually(() => expect(sent.filter((name) => !asked().includes(name))).toEqual([]));
      await eventually(async () => expect(await watch.query(driftStateQuery)).toMatchObject({ status: 'InSync', pause: null, problem: null, moreTargets: 0 }));

      for (const intervalMs of [OFTEN, SELDOM]) expectOnTime(day, intervalMs);
      for (const at of changes.hand) {
        const from = [PAUSE, OUTAGE].find(({ begin, end }) => at >= begin && at < end)?.end ?? at;
        expect(healedBetween('hand', from, from + OFTEN + SLACK), `healed after ${at / HOUR} h: ${healsOf('hand').join(', ')}`).toBe(true);
      }
      expect([healsOf('hand').length, healsOf('once').length, healsOf('warned').length]).toEqual([12, 1, 1]);
      expect(healedBetween('once', 3 * HOUR, 3 * HOUR + SELDOM + SLACK)).toBe(true);
      expect(healedBetween('warned', 15 * HOUR, 15 * HOUR + SLACK)).toBe(true);
      expect(healsOf('fought').map((at) => at >= FIGHT.end)).toEqual([false, false, false, false, false, true]);
      expect(day.resumed).toMatchObject([{ by: 'the end of the pause' }]);
      await expectShortHistories(server, day);
    });
  }, 120_000);
});

/** Never later than the interval says; and hardly more often, for what is asked by name is not all. */
function expectOnTime({ checks }: Day, intervalMs: number): void {
  const isOfAll = ({ groups }: Day['checks'][number]['input']): boolean => groups === 'all' || groups.some((group) => group.intervalMs === intervalMs);
  const times = checks.filter(({ input }) => isOfAll(input)).map(({ at }) => at);
  const late = times.filter((at, index) => {
    const before = times[index - 1] ?? 0;
    const isAfterOutage = before < OUTAGE.end && at >= OUTAGE.begin;
    return at > (isAfterOutage ? OUTAGE.end : before + intervalMs) + SLACK;
  });
  expect(late).toEqual([]);
  expect(times.length).toBeGreaterThan((24 * HOUR) / intervalMs - 8);
  expect(times.length).toBeLessThan((24 * HOUR) / intervalMs + 8);
}

async function expectShortHistories(server: TimeSkippingServer, { watch, checks, runIds }: Day): Promise<void> {
  expect(runIds.size).toBeGreaterThanOrEqual(Math.floor(checks.length / 40));
  for (const runId of runIds) {
    const execution = { workflowId: watch.workflowId, runId };
    const { history } = await server.connection.workflowService.getWorkflowExecutionHistory({ namespace: server.namespace, execution });
    const carried = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data?.length;
    expect(history?.events?.length).toBeLessThan(900);
    expect(carried).toBeLessThan(5_000);
  }
}
