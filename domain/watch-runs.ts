import type { CheckedTarget, RotatedSecret, StreamNews, WantedRun } from './drift.ts';
import { iso } from './watch-clock.ts';

/** A target to heal, and since when it is adrift. */
export interface Mending {
  readonly target: CheckedTarget;
  readonly since: string;
  /** Who wants it, if a person does, and whether also in a freeze. */
  readonly by?: string;
  readonly force?: true;
  /** The heal before, which it shared with others, did not help. */
  readonly alone?: true;
}

/** Makes the ids of wanted runs: unique in a tenant, and the same when a workflow is replayed. */
export function createNumbering(count: number, now: number) {
  let last = count;
  return {
    next: (trigger: string): string => `${trigger}/${iso(now)}/${++last}`,
    count: (): number => last,
  };
}

type Numbering = ReturnType<typeof createNumbering>;

/**
 * One run for the targets of a stream that were written at one commit; where a ledger is gone, an ordinary run of the stream at its head. A run takes all that
 * it mended back where one of its targets cannot be written, so what is tried again is tried by itself: a place that refuses keeps no other from being healed.
 */
export function healRuns(mendings: readonly Mending[], numbering: Numbering): WantedRun[] {
  const kinds = Map.groupBy(mendings, ({ target, by, force, alone }) => {
    const commit = healCommit(target);
    const own = commit === undefined ? target.event : alone ? target.id : null;
    return JSON.stringify([target.repository, target.stream, commit ?? null, own, by ?? null, force ?? null]);
  });
  return [...kinds.values()].flatMap((alike): WantedRun[] => {
    const [first] = alike;
    if (!first) return [];
    const { target, by, force } = first;
    const commit = healCommit(target);
    const since = alike.map((each) => each.since).toSorted()[0] ?? first.since;
    const only = alike.map((each) => each.target.id);
    const request = { ref: target.event, since, ...(by !== undefined && { by }), ...(force && { force }) };
    const run = { repository: target.repository, stream: target.stream };
    if (commit === undefined) return [{ ...run, request: { id: numbering.next('poll'), trigger: 'poll', ...request } }];
    return [{ ...run, request: { id: numbering.next('heal'), trigger: 'heal', commit, only, ...request } }];
  });
}

/** One run for the targets of a stream at one commit that refer to secrets with newer versions. What was never applied takes the newest by itself. */
export function rotationRuns(rotated: readonly RotatedSecret[], numbering: Numbering): WantedRun[] {
  const targets = new Map(rotated.flatMap((secret) => secret.targets.map((target) => [target.id, target] as const)));
  const applied = [...targets.values()].flatMap((target) => (target.commit === undefined ? [] : [{ target, commit: target.commit }]));
  const kinds = Map.groupBy(applied, ({ target, commit }) => JSON.stringify([target.repository, target.stream, commit, target.event]));
  return [...kinds.values()].flatMap((alike): WantedRun[] => {
    const [first] = alike;
    if (!first) return [];
    const { target, commit } = first;
    const only = alike.map((each) => each.target.id);
    const request = { id: numbering.next('rotation'), trigger: 'rotation' as const, ref: target.event, commit, only };
    return [{ repository: target.repository, stream: target.stream, request }];
  });
}

/** Brings streams to their heads; that of a closed pull request is cleaned up. */
export function streamRuns(streams: readonly StreamNews[], numbering: Numbering): WantedRun[] {
  return streams.map(({ repository, stream, event, head, trigger = 'poll' as const }): WantedRun => ({
    repository,
    stream,
    request: { id: numbering.next(trigger), trigger, ref: event, commit: head },
  }));
}

function healCommit({ remedy, commit }: CheckedTarget): string | undefined {
  return remedy === 'heal' ? commit : undefined;
}
