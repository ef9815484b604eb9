import pLimit from 'p-limit';
import { matchGlob } from '../clients/glob.ts';
import type { Bundle } from '../domain/bundle.ts';
import { isGlob, rulesOf, type RefEvent } from '../domain/routing.ts';
import { TAG_STREAM } from '../domain/stream-head.ts';
import { streamsOf } from '../domain/streams.ts';
import { idWithStream } from '../domain/target-ids.ts';
import { isClosed, type SurveyedStream } from './check-heads.ts';
import type { CheckMemory } from './check-memory.ts';
import type { TargetToCheck } from './check-target.ts';
import type { ActivityDeps } from './deps.ts';
import type { OutlinedTarget } from './outline-stream.ts';
import { repositoryOf } from './stream-state.ts';
import { knownStreams, runsOf, type KnownStream } from './stream-runs.ts';

export interface SurveyRequest {
  readonly bundle: Bundle;
  readonly tenant: string;
  readonly repository: string;
  /** Which targets are asked for. */
  readonly wants: (target: OutlinedTarget) => boolean;
  /** Whether the heads themselves are asked for. */
  readonly polls: boolean;
  /** How old the remote's answer may be. */
  readonly maxAgeMs: number;
  /** Whether Temporal is asked for the runs of the streams; else none is known of any. */
  readonly runs: 'asked' | 'unasked';
}

export interface Survey {
  readonly repository: string;
  /** Those that were asked for, or feed a target that was. */
  readonly streams: readonly SurveyedStream[];
  readonly targets: readonly TargetToCheck[];
  /** Whether the remote said where all streams are, just now. */
  readonly isPolled: boolean;
  /** What could not be found out. */
  readonly problems: readonly string[];
}

export type SurveyDeps = Pick<ActivityDeps, 'client' | 'desired'> & { readonly memory: CheckMemory };

interface Found {
  readonly stream: string;
  readonly event: RefEvent;
  readonly head: string | undefined;
  /** Whose tree tells the environments. */
  readonly commit: string | undefined;
  /** Its pull request is closed, so nothing of it is to be kept. */
  readonly isClosed?: true;
}

const ASKED_AT_ONCE = 16;

/**
 * The streams of a repository and the targets that they feed, by its remote's refs, the bundle, and what Temporal knows of their runs. While the remote does
 * not answer its last answer is used; if there is none, the streams are those that ever had a run.
 */
export async function surveyRepository(deps: SurveyDeps, request: SurveyRequest, signal: AbortSignal): Promise<Survey> {
  const first = await survey(deps, request, request.maxAgeMs, signal);
  // A run that ended after the remote was asked may have worked toward a newer head.
  const newest = Math.max(...first.streams.map(({ head, runs }) => (runs?.last?.commit === head ? 0 : (runs?.last?.closedAt ?? 0))));
  if (first.heads === null || newest < first.heads.at) return first;
  return survey(deps, request, Math.max(Date.now() - newest, 0), signal);
}

async function survey(
  deps: SurveyDeps,
  request: SurveyRequest,
  maxAgeMs: number,
  signal: AbortSignal,
): Promise<Survey & { readonly heads: { readonly at: number } | null }> {
  const { tenant, repository: name } = request;
  const problems: string[] = [];
  const heads = await headsOf(deps, request, maxAgeMs, problems, signal);
  const refs = heads?.refs ?? new Map<string, string>();
  const found = heads ? await streamsByRefs(deps, request, refs, signal) : await streamsByRuns(deps, request, problems, signal);

  const limit = pLimit(ASKED_AT_ONCE);
  const surveyed = await Promise.all(
    found.map((each) =>
      limit(async () => {
        const targets = each.isClosed ? [] : (await outlineOf(deps, request, each, refs, problems, signal)).filter(request.wants);
        if (targets.length === 0 && !request.polls) return null;
        const { stream, event, head } = each;
        const runs = request.runs === 'asked' ? await runsOf(deps.client, { tenant, repository: name, stream }, signal) : null;
        // Temporal's lists, which told which are open, follow by a moment.
        return { stream: { stream, event, head, runs }, targets: isClosed({ runs }) ? [] : targets };
      }),
    ),
  );
  const asked = surveyed.filter((each) => each !== null);
  return {
    repository: name,
    streams: asked.map(({ stream }) => stream),
    targets: unite(name, asked),
    isPolled: request.polls && heads !== null && heads.problem === undefined,
    problems,
    heads,
  };
}

async function headsOf({ memory }: SurveyDeps, request: SurveyRequest, maxAgeMs: number, problems: string[], signal: AbortSignal) {
  try {
    const heads = await memory.heads.get(repositoryOf(request), maxAgeMs, signal, request.polls ? maxAgeMs : undefined);
    if (heads.problem !== undefined) problems.push(`${request.repository}: ${heads.problem}`);
    return heads;
  } catch (error) {
    if (signal.aborted) throw error;
    problems.push(`${request.repository}: ${messageOf(error)}`);
    return null;
  }
}

async function streamsByRefs(
  deps: SurveyDeps,
  { bundle, tenant, repository }: SurveyRequest,
  refs: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<Found[]> {
  const known = bundle.tenants[tenant];
  if (!known) return [];
  const all = streamsOf(known, repository, refs, matchGlob).map(({ stream, event, commit }): Found => ({ stream, event, head: commit, commit }));
  if (!Object.values(rulesOf(known, repository)).some(({ environments }) => environments.pullRequests !== undefined)) return all;
  const open = await knownStreams(deps.client, { tenant, repository }, 'pull-requests', signal);
  const heads = new Map(all.map((each) => [each.stream, each]));
  // Of those that are closed only what is known of their runs counts: their commit may be gone.
  const pullRequests = open.flatMap((each) => (each.isClosed ? asFound(each) : (heads.get(each.stream) ?? asFound(each))));
  return [...all.filter(({ event }) => event.kind !== 'pull-request'), ...pullRequests];
}

async function streamsByRuns(deps: SurveyDeps, { tenant, repository }: SurveyRequest, problems: string[], signal: AbortSignal): Promise<Found[]> {
  const known = await knownStreams(deps.client, { tenant, repository }, 'all', signal);
  const found = known.flatMap(asFound);
  if (found.length < known.length) problems.push(`${repository}: until the remote answers, nothing is known of its tags`);
  return found;
}

/** A stream of tags does not say which tag is the newest. */
function asFound({ stream, commit, isClosed: closed }: KnownStream): Found[] {
  const event = eventOf(stream);
  return event ? [{ stream, event, head: undefined, commit, ...(closed && { isClosed: closed }) }] : [];
}

function eventOf(stream: string): RefEvent | null {
  const [, number] = /^pr:(\d+)$/.exec(stream) ?? [];
  if (number !== undefined) return { kind: 'pull-request', number: Number(number) };
  if (!stream.startsWith(TAG_STREAM)) return { kind: 'branch', name: stream };
  const tag = stream.slice(TAG_STREAM.length);
  return isGlob(tag) ? null : { kind: 'tag', name: tag };
}

async function outlineOf(
  { desired }: SurveyDeps,
  { bundle, tenant, repository }: SurveyRequest,
  { event, commit, stream }: Found,
  refs: ReadonlyMap<string, string>,
  problems: string[],
  signal: AbortSignal,
): Promise<readonly OutlinedTarget[]> {
  try {
    return await desired.outline({ retired: false, bundle, tenant, repository, event, commit: commit ?? '' }, refs, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    problems.push(`${repository}/${stream}: ${messageOf(error)}`);
    return [];
  }
}

/**
 * Several streams may feed one target: its ledger says which did. Where a place takes its name from a ref, several targets would have one id: then the id
 * says the stream too.
 */
function unite(repository: string, found: readonly { readonly stream: SurveyedStream; readonly targets: readonly OutlinedTarget[] }[]): TargetToCheck[] {
  const all = found.flatMap(({ stream, targets }) => targets.map((target) => ({ stream, target })));
  return [...Map.groupBy(all, ({ target }) => target.id)].flatMap(([id, sharers]) => {
    const places = [...Map.groupBy(sharers, ({ target }) => target.place.name).values()];
    return places.flatMap(([first, ...others]): TargetToCheck[] => {
      if (!first) return [];
      const target = places.length === 1 ? first.target : { ...first.target, id: idWithStream(id, first.stream.stream) };
      return [{ target, repository, streams: [first.stream, ...others.map(({ stream }) => stream)] }];
    });
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
