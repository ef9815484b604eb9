import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  log,
  makeContinueAsNewFunc,
  patched,
  rootCause,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { WatchState, WatchStatus } from '../domain/drift.ts';
import { afterCheck, afterFailedCheck } from '../domain/watch-check.ts';
import { asking, dueByName, dueByTime, GONE_AGAIN_MS, nextByName, nextByTime, taking, type DueCheck } from '../domain/watch-due.ts';
import { newWatch, watchedTargets, watchStatusOf } from '../domain/watch-state.ts';
import { checkTargets, holdSubscriptions, requestSync, startWantedRuns } from './activity-proxies.ts';
import { watchBeforeChecks } from './drift-before-checks.ts';
import { describeWatch } from './drift-details.ts';
import { measureTargets, tellEvents } from './drift-events.ts';
import { readMessage, type DriftMessage } from './drift-messages.ts';
import { driftStateQuery, PAUSE_MEMO, type DriftWatchInput, type DriftWatchState, type Pause } from './messages.ts';
import { searchAttributes } from './search-attributes.ts';

/** Checks of one run; histories stay short, and a worker that takes the watch over replays one quickly. */
const MOST_CHECKS = 40;
const RUNS_AT_ONCE = 200;
const AGAIN_AFTER_FAILURE_MS = 30_000;
/** What is under way when a run ends has this long; then it is cancelled, and begun again by the next run. */
const ENDS_WITHIN_MS = 5_000;
const MOST_IGNORED = 5;

/** What goes on beside the messages, one of each at a time. */
type Task = 'checkByTime' | 'checkByName' | 'startRuns' | 'startAll';

/**
 * One per tenant, for as long as the tenant is in the bundle: checks its targets and the heads of its streams, heals, and holds whether it is paused. The
 * pause is mirrored into the memo, where `prepare` and each attempt of a write read it without a worker, whatever else is under way (I12).
 */
export async function driftWatchWorkflow(input: DriftWatchInput): Promise<void> {
  const { tenant } = input;
  const inbox: DriftMessage[] = [];
  const ignored = [...(input.ignored ?? [])];
  let pause: Pause | null = input.pause ?? null;
  let state: WatchState = { ...newWatch(), ...input.watch };
  const busy = new Set<Task>();
  const notBefore = new Map<Task, number>();
  const work = new CancellationScope();
  let subscriptions: CancellationScope | null = null;
  let checks = 0;
  let finished = 0;
  let isToRenew = false;
  let isGone = false;
  let endsBy: number | null = null;

  // One handler for all: signals that wait for the first task are handed over name by name, and a resume must not overtake its pause.
  setDefaultSignalHandler((name, ...args) => void inbox.push(readMessage(name, args[0])));
  setHandler(driftStateQuery, answer);

  if (!patched('drift-checks')) {
    const old = await watchBeforeChecks(tenant, input.pause, inbox, (now) => {
      pause = now;
      show();
    });
    for (const message of old.rest) handle(message);
    return carryOn();
  }

  for (;;) {
    for (const message of inbox.splice(0)) handle(message);
    if (pause?.until !== undefined && Date.parse(pause.until) <= Date.now()) resume('the end of the pause');
    isGone &&= pause === null;
    const isToEnd = isGone || isToRenew || checks >= MOST_CHECKS || workflowInfo().continueAsNewSuggested;
    if (!isToEnd) begin();
    else if (busy.size === 0) break;
    else endsBy ??= Date.now() + ENDS_WITHIN_MS;
    if (endsBy !== null && Date.now() >= endsBy) work.cancel();
    show();
    await messageOrDue(finished);
  }
  stopSubscriptions();
  await condition(allHandlersFinished);
  if (isGone) return show();
  return carryOn();

  function handle(message: DriftMessage): void {
    switch (message.kind) {
      case 'pause':
        pause = { ...message.pause, since: new Date().toISOString() };
        // Runs that are handed over park themselves; on resume every stream is started anyway.
        state = { ...state, wanted: [] };
        upsertMemo({ [PAUSE_MEMO]: pause });
        break;
      case 'resume':
        resume(message.by);
        break;
      case 'forceHeal':
        log.info('a heal is asked for', { tenant, ...message.forced, reason: message.reason });
        if (pause) ignore(`forceHeal by ${message.forced.by}: nothing is written in a pause`);
        else state = { ...state, asked: asking(state.asked, { forced: [message.forced] }) };
        break;
      case 'checkNow':
        state = {
          ...state,
          asked: asking(state.asked, message.targets ? { targets: message.targets } : { everything: true, neverPolled: message.neverPolled }),
        };
        break;
      case 'renew':
        isToRenew = true;
        break;
      case 'invalid':
        ignore(message.why);
    }
  }

  function ignore(why: string): void {
    log.warn('a signal is ignored', { tenant, why });
    ignored.splice(0, Math.max(0, ignored.length - MOST_IGNORED + 1));
    ignored.push(why);
  }

  function resume(by: string): void {
    const wasPaused = pause !== null;
    pause = null;
    upsertMemo({ [PAUSE_MEMO]: null });
    if (wasPaused) state = { ...state, attempts: [], startAll: { by } };
  }

  /** Begins what is due and not under way. */
  function begin(): void {
    const now = Date.now();
    const isFree = (task: Task): boolean => !busy.has(task) && (notBefore.get(task) ?? 0) <= now;
    if (state.startAll && pause === null && isFree('startAll')) run('startAll', startAll);
    const byTime = isFree('checkByTime') ? dueByTime(state, now, pause === null) : null;
    if (byTime) run('checkByTime', () => check('checkByTime', byTime));
    const byName = isFree('checkByName') ? dueByName(state, now) : null;
    if (byName) run('checkByName', () => check('checkByName', byName));
    if (state.wanted.length > 0 && isFree('startRuns')) run('startRuns', startRuns);
    if (state.notifies) subscribe();
    else stopSubscriptions();
  }

  function run(task: Task, act: () => Promise<void>): void {
    busy.add(task);
    void work
      .run(act)
      .catch((error: unknown) => {
        if (isCancellation(error)) return;
        notBefore.set(task, Date.now() + AGAIN_AFTER_FAILURE_MS);
        log.warn(`${task} failed and is tried again`, { tenant, error: messageOf(error) });
      })
      .finally(() => {
        busy.delete(task);
        finished++;
      });
  }

  async function check(task: Task, due: DueCheck): Promise<void> {
    state = { ...state, asked: taking(state.asked, due.taken) };
    const askedAt = Date.now();
    checks++;
    try {
      const { groups, polls, targets } = due;
      const found = await checkTargets({ tenant, groups, polls, targets, secretVersions: state.secretVersions });
      const now = Date.now();
      notBefore.delete(task);
      if (found.kind === 'gone') return gone(now);
      const after = afterCheck(state, found, { tenant, due, askedAt, now, isPaused: pause !== null });
      state = after.state;
      tellEvents(tenant, after.events);
      measureTargets(tenant, state, now);
    } catch (error) {
      state = afterFailedCheck(state, due, isCancellation(error) ? state.problem : messageOf(error), Date.now());
      throw error;
    }
  }

  /** Twice, some time apart: a worker that has not reloaded its bundle yet, or has reloaded it too early, may have answered. A pause is kept (I12). */
  function gone(now: number): void {
    const since = state.goneAt === null ? now : Date.parse(state.goneAt);
    const isAgain = now - since >= GONE_AGAIN_MS;
    state = { ...state, goneAt: new Date(isAgain ? now : since).toISOString() };
    isGone = isAgain;
  }

  async function startRuns(): Promise<void> {
    const runs = state.wanted.slice(0, RUNS_AT_ONCE);
    await startWantedRuns({ tenant, runs });
    state = { ...state, wanted: state.wanted.filter((each) => !runs.includes(each)) };
  }

  async function startAll(): Promise<void> {
    const asked = state.startAll;
    if (!asked) return;
    const { streams } = await requestSync({ tenant, by: asked.by });
    log.info('every stream is started at its head', { tenant, by: asked.by, streams });
    state = { ...state, startAll: state.startAll === asked ? null : state.startAll, asked: asking(state.asked, { everything: true, neverPolled: true }) };
  }

  function subscribe(): void {
    if (subscriptions) return;
    const scope = new CancellationScope();
    subscriptions = scope;
    // Without them the timers still find everything.
    void scope
      .run(() => holdSubscriptions(tenant))
      .catch((error: unknown) => isCancellation(error) || log.warn('the subscriptions ended', { tenant, error: messageOf(error) }))
      .finally(() => {
        if (subscriptions === scope) subscriptions = null;
      });
  }

  function stopSubscriptions(): void {
    subscriptions?.cancel();
    subscriptions = null;
  }

  async function messageOrDue(seen: number): Promise<void> {
    const isNews = (): boolean => inbox.length > 0 || finished !== seen;
    const leftMs = nextAt() - Date.now();
    if (Number.isFinite(leftMs)) await condition(isNews, Math.max(leftMs, 1));
    else await condition(isNews);
  }

  /** When something is to be done that no message tells. */
  function nextAt(): number {
    const now = Date.now();
    const pauseEnd = pause?.until === undefined ? Number.POSITIVE_INFINITY : Date.parse(pause.until);
    if (endsBy !== null) return Math.min(pauseEnd, endsBy > now ? endsBy : Number.POSITIVE_INFINITY);
    const dues: readonly (readonly [Task, number])[] = [
      ['checkByTime', nextByTime(state, now, pause === null)],
      ['checkByName', nextByName(state, now)],
      ['startRuns', state.wanted.length > 0 ? now : Number.POSITIVE_INFINITY],
      ['startAll', state.startAll && pause === null ? now : Number.POSITIVE_INFINITY],
    ];
    // What is under way tells when it is over.
    return Math.min(pauseEnd, ...dues.map(([task, at]) => (busy.has(task) ? Number.POSITIVE_INFINITY : Math.max(at, notBefore.get(task) ?? 0))));
  }

  function answer(): DriftWatchState {
    const { targets, more } = watchedTargets(state);
    const next = nextByTime(state, Date.now(), pause === null);
    return {
      tenant,
      pause,
      freeze: state.freeze,
      status: watchStatusOf(state),
      targets,
      moreTargets: more,
      streams: state.streams,
      checkedAt: state.checkedAt,
      nextCheckAt: Number.isFinite(next) ? new Date(next).toISOString() : null,
      problem: state.problem,
      pollProblems: state.pollProblems,
      ...(isBusy() && { busy: true as const }),
    };
  }

  function isBusy(): boolean {
    const { everything, targets, forced } = state.asked;
    return busy.size > 0 || everything || targets.length > 0 || forced.length > 0 || state.wanted.length > 0;
  }

  function show(): void {
    const view = answer();
    setCurrentDetails(describeWatch(view, ignored));
    if (view.checkedAt !== null) mark(view.status);
  }

  async function carryOn(): Promise<void> {
    // The server would carry the memo on as it is: encrypted with the key of its day, for as long as the tenant exists.
    const continueAsNew = makeContinueAsNewFunc<typeof driftWatchWorkflow>({ memo: { [PAUSE_MEMO]: pause } });
    await continueAsNew({ tenant, ...(pause && { pause }), watch: state, ...(ignored.length > 0 && { ignored }) });
  }
}

function mark(status: WatchStatus): void {
  if (workflowInfo().typedSearchAttributes.get(searchAttributes.drift) === status) return;
  upsertSearchAttributes([{ key: searchAttributes.drift, value: status }]);
}

function messageOf(error: unknown): string {
  return rootCause(error) ?? String(error);
}
