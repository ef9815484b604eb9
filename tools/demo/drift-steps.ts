import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { isSilent, readDriftWatch } from '../../clients/drift-watch.ts';
import { driftWorkflowId, forceHealSignal, pauseSignal, resumeSignal, type DriftWatchState } from '../../workflows/messages.ts';
import type { Hands } from './hands.ts';
import type { Printer } from './printer.ts';
import type { Step } from './steps.ts';

export interface DriftStage {
  readonly client: Client;
  readonly printer: Printer;
  readonly hands: Hands;
  /** Gives the worker a bundle whose rule says so. */
  readonly setDriftMode: (mode: 'heal' | 'warn') => Promise<void>;
  /** The page of the tenant's watch. */
  readonly link: string;
  /** What is applied. */
  readonly commit: string;
  readonly workers: number;
}

const TENANT = 'acme';
const ENVIRONMENT = 'production';
const WITHIN_MS = 60_000;

/** Edits by hand: healed by themselves. */
export async function healed(stage: DriftStage, title: string, workers: number): Promise<Step> {
  const { hands, printer } = stage;
  printer.quote(await hands.setWorkers(ENVIRONMENT, workers));
  const since = performance.now();
  await until(() => hands.hasWorkers(ENVIRONMENT, stage.workers), 'the edits are not healed');
  const ms = Math.round(performance.now() - since);
  await untilState(stage, isCalm, 'the watch does not say that all is in order again');
  return tell(stage, { title, status: 'Healed', work: `workers is ${stage.workers} again everywhere`, ms });
}

/** The same where the rule says `warn`: told, and healed when somebody wants it. */
export async function told(stage: DriftStage, title: string, workers: number): Promise<Step> {
  const { client, hands, printer } = stage;
  await stage.setDriftMode('warn');
  await untilState(stage, ({ targets }) => targets.length > 0 && targets.every(({ mode }) => mode === 'warn'), 'the new bundle is not taken');
  printer.quote(await hands.setWorkers(ENVIRONMENT, workers));
  const since = performance.now();
  const state = await untilState(stage, (now) => edited(now).length > 0 && edited(now).every(({ status }) => status === 'Drifted'), 'the edits are not told');
  const ms = Math.round(performance.now() - since);
  printer.line('   vartrack drift acme:');
  printer.quote(edited(state).map(({ id, status, keys = [] }) => `${id} ${status}: ${keys.map(({ key, drift }) => `${key} ${drift}`).join(', ')}`));
  const stays = await hands.hasWorkers(ENVIRONMENT, workers);
  printer.quote(['vartrack heal acme']);
  await client.workflow.getHandle(driftWorkflowId(TENANT)).signal(forceHealSignal, { by: 'ada', reason: 'the demo' });
  await until(() => hands.hasWorkers(ENVIRONMENT, stage.workers), 'the edits are not healed when they are told to');
  await untilState(stage, isCalm, 'the watch does not say that all is in order again');
  const wrong = stays ? [] : ['it was healed though the rule says warn'];
  return tell(stage, { title, status: 'Told', work: `left at ${workers} until it was asked for`, ms, wrong });
}

/** The same in a pause: told, and healed by the end of the pause. */
export async function heldBack(stage: DriftStage, title: string, workers: number): Promise<Step> {
  const { client, hands, printer } = stage;
  await stage.setDriftMode('heal');
  await untilState(stage, ({ targets }) => targets.length > 0 && targets.every(({ mode }) => mode === 'heal'), 'the new bundle is not taken');
  const watch = client.workflow.getHandle(driftWorkflowId(TENANT));
  await watch.signal(pauseSignal, { by: 'ada', reason: 'the demo' });
  await untilState(stage, ({ pause }) => pause !== null, 'the pause does not begin');
  printer.quote(['vartrack pause acme --reason "the demo"', ...(await hands.setWorkers(ENVIRONMENT, workers))]);
  const since = performance.now();
  await untilState(stage, (now) => edited(now).length > 0 && edited(now).every(({ status }) => status === 'Drifted'), 'the edits are not told in the pause');
  const stays = await hands.hasWorkers(ENVIRONMENT, workers);
  printer.quote(['vartrack resume acme']);
  await watch.signal(resumeSignal, { by: 'ada' });
  await until(() => hands.hasWorkers(ENVIRONMENT, stage.workers), 'the edits are not healed after the pause');
  const ms = Math.round(performance.now() - since);
  await untilState(stage, isCalm, 'the watch does not say that all is in order again');
  const wrong = stays ? [] : ['it was healed though the tenant was paused'];
  return tell(stage, { title, status: 'Held', work: `left at ${workers} until the tenant was resumed`, ms, wrong });
}

function tell(
  { printer, link, commit }: DriftStage,
  { wrong = [], ...step }: Pick<Step, 'title' | 'status' | 'work' | 'ms'> & { wrong?: readonly string[] },
): Step {
  printer.line(`   ${printer.paint('green', `${step.status}: ${step.work}`)}`);
  for (const problem of wrong) printer.line(`   ${printer.paint('red', `NOT AS IT SHOULD BE: ${problem}`)}`);
  printer.line(`   ${printer.paint('dim', link)}`);
  return { ...step, commit, link, wrong };
}

/** What was edited: the JSON file was not. */
function edited({ targets }: DriftWatchState): DriftWatchState['targets'] {
  return targets.filter(({ environment, place }) => environment === ENVIRONMENT && !place.endsWith('.json'));
}

function isCalm({ targets, pause, busy }: DriftWatchState): boolean {
  return pause === null && !busy && targets.every(({ status }) => status === 'InSync');
}

async function untilState({ client }: DriftStage, isSo: (state: DriftWatchState) => boolean, otherwise: string): Promise<DriftWatchState> {
  let found: DriftWatchState | undefined;
  await until(async () => {
    const answer = await readDriftWatch(client, TENANT);
    found = isSilent(answer) ? undefined : answer;
    return found !== undefined && isSo(found);
  }, otherwise);
  if (!found) throw new Error(otherwise);
  return found;
}

async function until(isSo: () => Promise<boolean>, otherwise: string): Promise<void> {
  const deadline = Date.now() + WITHIN_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`${otherwise} within ${WITHIN_MS / 1_000} s`);
    await delay(50);
  }
}
