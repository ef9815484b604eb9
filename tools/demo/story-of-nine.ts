import { randomUUID } from 'node:crypto';
import type { RunOutcome } from '../../domain/status.ts';
import type { OneSink } from '../../test/servers/nine-sinks/one-sink.ts';
import type { Printer } from './printer.ts';
import { deliveredAgain, pushed, unchangedBy, type Step, type StepStage } from './steps.ts';

const PRODUCTION = 'production';
const SHOWN_CHARACTERS = 90;

/** One push to a sink of each kind: written everywhere at once, refused by one and undone at the others, unchanged. */
export async function tellStoryOfNine(given: Omit<StepStage, 'places'>, sinks: readonly OneSink[]): Promise<readonly Step[]> {
  const { printer, repository } = given;
  const stage: StepStage = { ...given, places: { snapshot: (what) => snapshotOf(sinks, what) } };
  const steps: Step[] = [];
  const begin = (title: string): string => {
    printer.heading(`${steps.length + 1}  ${title}`);
    return title;
  };

  const first = begin(`A good commit goes to production, at ${sinks.length} sinks of as many kinds`);
  steps.push(await pushed(stage, first, await repository.push('main', 'Release the checkout'), 'Synced'));

  const rejected = begin('A wrong value is pushed');
  await repository.edit('settings/production.yaml', 'maxConnections: 80', 'maxConnections: 5000');
  steps.push(await unchangedBy(stage, 'all', async () => pushed(stage, rejected, await repository.push('main', 'More connections'), 'Rejected')));

  const refusing = sinks.find(({ kind }) => kind === 'consul') ?? sinks[0];
  if (!refusing) throw new Error('there is no sink at all');
  const refused = begin(`A push that ${refusing.kind} refuses: somebody took the right to write away from varTrack there`);
  await repository.edit('settings/production.yaml', 'maxConnections: 5000', 'maxConnections: 80');
  await repository.commit('Take back the last commit');
  await repository.edit('settings/production.yaml', 'workers: 8', 'workers: 16');
  await refusing.refuseWrites(PRODUCTION);
  const before = await workersAt(sinks);
  const push = await repository.push('main', 'More workers');
  const tellsWho = ({ targets }: RunOutcome): string[] =>
    targets.some(({ kind, status }) => kind === refusing.kind && status === 'Failed') ? [] : [`${refusing.kind} is not told as the one that failed`];
  steps.push(await unchangedBy(stage, 'values', () => pushed(stage, refused, push, 'RolledBack', tellsWho)));
  const after = await workersAt(sinks);
  printer.line('   workers before and after:');
  printer.quote(sinks.map(({ kind }) => `${kind.padEnd(10)} ${before.get(kind)} -> ${after.get(kind)}`));

  const allowed = begin('The right is given back, and the forge sends the webhook of that push again');
  await refusing.allowWrites(PRODUCTION);
  const delivery = randomUUID();
  steps.push(await pushed(stage, allowed, { ...push, diff: [] }, 'Synced', () => [], delivery));

  const repeated = begin('That webhook comes again, and once more under a new id');
  steps.push(await unchangedBy(stage, 'all', () => deliveredAgain(stage, repeated, push, delivery)));

  printer.heading(`What is in each of the ${sinks.length} places, read without varTrack`);
  for (const sink of sinks) await tellPlace(printer, sink);
  return steps;
}

async function tellPlace(printer: Printer, { kind, destination, look }: OneSink): Promise<void> {
  const found = await look(PRODUCTION);
  const text = typeof found === 'string' ? found.trimEnd().replaceAll('\n', ' ') : JSON.stringify(found);
  const shown = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  printer.line(`${kind.padEnd(10)} ${destination.place.replaceAll('{env}', PRODUCTION)}: workers ${workersIn(found)}`);
  printer.quote([shown]);
}

async function workersAt(sinks: readonly OneSink[]): Promise<ReadonlyMap<string, string>> {
  return new Map(await Promise.all(sinks.map(async ({ kind, look }) => [kind, workersIn(await look(PRODUCTION))] as const)));
}

/** Each kind writes it in its own way: `WORKERS=8`, `{"workers":8}`, `{"workers":"8"}`. */
function workersIn(found: unknown): string {
  return /workers\W{1,6}(\d+)/i.exec(JSON.stringify(found))?.[1] ?? 'absent';
}

async function snapshotOf(sinks: readonly OneSink[], what: 'all' | 'values'): Promise<string> {
  const texts = sinks.map(async (sink) => (what === 'all' ? await sink.trace(PRODUCTION) : JSON.stringify(await sink.look(PRODUCTION))));
  return (await Promise.all(texts)).join('\n');
}
