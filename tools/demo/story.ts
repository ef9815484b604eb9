import { randomUUID } from 'node:crypto';
import type { RunOutcome } from '../../domain/status.ts';
import { healed, heldBack, told } from './drift-steps.ts';
import type { Hands } from './hands.ts';
import type { Places } from './places.ts';
import type { Told } from './scene.ts';
import { deliveredAgain, pushed, unchangedBy, type Step } from './steps.ts';

export interface Stage extends Told {
  readonly places: Places;
  readonly hands: Hands;
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

  const link = (steps.at(-1)?.link ?? '').replace(/\/workflows\/.*$/, '/workflows/drift%2Facme');
  const drift = { ...stage, link, commit: last.commit, workers: 16 };
  steps.push(await healed(drift, begin('Somebody edits the places by hand'), 3));
  steps.push(await told(drift, begin('The same where the rule says drift: { mode: warn }'), 4));
  steps.push(await heldBack(drift, begin('The same while the tenant is paused'), 5));
  return steps;
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
