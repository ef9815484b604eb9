import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { RunOutcome, RunStatus } from '../../domain/status.ts';
import type { ConfigRepository, Push } from './config-repository.ts';
import { outcomeOf, tellOutcome, tellWork } from './outcome.ts';
import type { Places } from './places.ts';
import type { Printer } from './printer.ts';
import { sendWebhook, type Answer, type Hook } from './webhook.ts';

export interface Stage {
  readonly client: Client;
  readonly repository: ConfigRepository;
  readonly hook: Hook;
  readonly places: Places;
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

/** Shows what varTrack does, one push after the other; each step says itself whether it ended as it should. */
export async function tellStory(stage: Stage): Promise<readonly Step[]> {
  const { printer, repository, places } = stage;
  const steps: Step[] = [];
  const begin = (title: string): string => {
    printer.heading(`${steps.length + 1}  ${title}`);
    return title;
  };

  const staging = begin('A good commit goes to staging (branch develop)');
  printer.line('   It holds what is in examples/repository: settings/base.yaml, settings/production.yaml, schemas/settings.cue');
  steps.push(await pushed(stage, staging, await repository.push('develop', 'Describe the checkout'), 'Synced'));

  const production = begin('The same goes to production (branch main)');
  const first = await repository.push('main', 'Release the checkout');
  steps.push(await pushed(stage, production, first, 'Synced'));
  printer.line('   checkout.env is now:');
  printer.quote(await places.file('production', 'checkout.env'));
  const fields = await places.hash('production');
  if (fields) printer.line('   and HGETALL acme:production:settings:');
  printer.quote(fields ?? []);

  const rejected = begin('A wrong value and a misspelt key are pushed to production');
  await repository.edit('settings/production.yaml', 'maxConnections: 80', 'maxConnections: 5000');
  await repository.edit('settings/base.yaml', 'timeoutMs:', 'timeoutMS:');
  steps.push(await unchangedBy(stage, 'all', async () => pushed(stage, rejected, await repository.push('main', 'More connections'), 'Rejected', tellsWhere)));

  const refused = begin('A push that one of its places refuses half-way');
  await repository.edit('settings/production.yaml', 'maxConnections: 5000', 'maxConnections: 80');
  await repository.edit('settings/base.yaml', 'timeoutMS:', 'timeoutMs:');
  await repository.commit('Take back the last commit');
  await repository.edit('settings/production.yaml', 'workers: 8', 'workers: 24');
  printer.line('   The schema allows 24 workers. The validate command at checkout.env, the last of the places, does not.');
  const before = await places.value('production', 'workers');
  steps.push(await unchangedBy(stage, 'values', async () => pushed(stage, refused, await repository.push('main', 'More workers'), 'RolledBack', tellsRefusal)));
  const after = await places.value('production', 'workers');
  printer.line('   workers before and after:');
  printer.quote([...before].map(([place, value]) => `${place.padEnd(28)} ${value} -> ${after.get(place)}`));

  const mended = begin('The mended commit');
  await repository.edit('settings/production.yaml', 'workers: 24', 'workers: 16');
  const last = await repository.push('main', 'As many workers as the host has memory for');
  const delivery = randomUUID();
  steps.push(await pushed(stage, mended, last, 'Synced', () => [], delivery));
  printer.line('   workers now:');
  printer.quote([...(await places.value('production', 'workers'))].map(([place, value]) => `${place.padEnd(28)} ${value}`));

  const repeated = begin('The forge sends that webhook again, and once more under a new id');
  steps.push(await unchangedBy(stage, 'all', async () => deliveredAgain(stage, repeated, last, delivery)));
  return steps;
}

/** Delivers a push's webhook and compares how its run ended with how it should. */
async function pushed(
  { client, hook, printer }: Stage,
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

async function deliveredAgain({ client, hook, printer }: Stage, title: string, push: Push, id: string): Promise<Step> {
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
async function unchangedBy({ places, printer }: Stage, what: 'all' | 'values', act: () => Promise<Step>): Promise<Step> {
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

function tellsWhere({ problems }: RunOutcome): string[] {
  const text = problems.join('\n');
  const expected = [/settings\/production\.yaml:3:19 database\.maxConnections/, /settings\/base\.yaml:\d+:\d+ http\.timeoutMS/, /schemas\/settings\.cue:\d+/];
  return expected.filter((pattern) => !pattern.test(text)).map((pattern) => `no problem says ${pattern.source}`);
}

function tellsRefusal({ targets }: RunOutcome): string[] {
  const failed = targets.find(({ status }) => status === 'Failed');
  return failed?.place.endsWith('checkout.env') && failed.message?.includes('validate') ? [] : ['the failed place is not told'];
}
