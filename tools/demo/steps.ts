import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { RunOutcome, RunStatus } from '../../domain/status.ts';
import type { ConfigRepository, Push } from './config-repository.ts';
import { outcomeOf, tellOutcome, tellWork } from './outcome.ts';
import type { Places } from './places.ts';
import type { Printer } from './printer.ts';
import { sendWebhook, type Answer, type Hook } from './webhook.ts';

/** What every step needs. */
export interface StepStage {
  readonly client: Client;
  readonly repository: ConfigRepository;
  readonly hook: Hook;
  /** What stands at the destinations, read directly, as text; equal texts mean that nothing was changed. */
  readonly places: Pick<Places, 'snapshot'>;
  readonly printer: Printer;
}

/** One line of the table at the end. */
export interface Step {
  readonly title: string;
  readonly commit: string;
  readonly status: string;
  readonly work: string;
  readonly ms: number;
  readonly link: string;
  /** What did not end as it should; empty if all did. */
  readonly wrong: readonly string[];
}

/** Delivers a push's webhook and compares how its run ended with how it should. */
export async function pushed(
  { client, hook, printer }: StepStage,
  title: string,
  push: Push,
  expected: RunStatus,
  wrongIn: (outcome: RunOutcome) => readonly string[] = () => [],
  id: string = randomUUID(),
): Promise<Step> {
  if (push.diff.some((line) => line.startsWith('-'))) printer.quote(push.diff);
  printer.line(`   git push: ${push.branch} is at ${push.commit.slice(0, 7)}`);
  const since = performance.now();
  const answer = await sendWebhook(hook, deliveryOf(push, id));
  const outcome = await outcomeOf(client, answer, id);
  const ms = Math.round(performance.now() - since);
  const wrong = [...(outcome.status === expected ? [] : [`ended as ${outcome.status}, expected ${expected}`]), ...wrongIn(outcome)];
  tell(printer, outcome, wrong, answer);
  return { title, commit: push.commit, status: outcome.status, work: tellWork(outcome), ms, link: answer.links?.ui ?? '', wrong };
}

/** Delivers a push's webhook twice: under its own id and under a new one. */
export async function deliveredAgain({ client, hook, printer }: StepStage, title: string, push: Push, id: string): Promise<Step> {
  const since = performance.now();
  const same = await sendWebhook(hook, deliveryOf(push, id));
  printer.line(`   the same id: ${same.code} ${same.status}: ${same.why ?? ''}`);
  const newId = randomUUID();
  const answer = await sendWebhook(hook, deliveryOf(push, newId));
  const outcome = await outcomeOf(client, answer, newId);
  const ms = Math.round(performance.now() - since);
  printer.line(`   a new id: ${answer.code} ${answer.status}`);
  const wrong = [
    ...(same.code === 200 && same.status === 'repeated' ? [] : [`the repeated delivery was answered ${same.code} ${same.status}`]),
    ...(outcome.status === 'Unchanged' ? [] : [`ended as ${outcome.status}, expected Unchanged`]),
  ];
  tell(printer, outcome, wrong, answer);
  return { title, commit: push.commit, status: outcome.status, work: tellWork(outcome), ms, link: answer.links?.ui ?? '', wrong };
}

/** What stands at the places has to be after it as it was before. An undo counts as a write in the ledgers, so that a late writer still finds out. */
export async function unchangedBy({ places, printer }: StepStage, what: 'all' | 'values', act: () => Promise<Step>): Promise<Step> {
  const before = await places.snapshot(what);
  const step = await act();
  const same = (await places.snapshot(what)) === before;
  const subject = what === 'all' ? 'everything at the places, ledgers too,' : 'every value';
  printer.line(same ? `   Read directly: ${subject} is byte for byte as before.` : `   ${printer.paint('red', 'NOT AS IT SHOULD BE: a place was changed')}`);
  return same ? step : { ...step, wrong: [...step.wrong, 'a place was changed'] };
}

function tell(printer: Printer, outcome: RunOutcome, wrong: readonly string[], answer: Answer): void {
  const [first = '', ...rest] = tellOutcome(outcome);
  const colour = outcome.status === 'Synced' || outcome.status === 'Unchanged' ? 'green' : 'yellow';
  printer.line(`   ${printer.paint(colour, first)}`);
  for (const line of rest) printer.line(`   ${line}`);
  for (const problem of wrong) printer.line(`   ${printer.paint('red', `NOT AS IT SHOULD BE: ${problem}`)}`);
  printer.line(`   ${printer.paint('dim', answer.links?.ui ?? '')}`);
}

function deliveryOf(push: Push, id: string) {
  return { id, ref: `refs/heads/${push.branch}`, commit: push.commit, by: 'ada' };
}
