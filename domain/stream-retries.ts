import type { StreamAttempts, StreamNews, WatchedStream } from './drift.ts';
import { iso } from './watch-clock.ts';

const FIRST_MS = 5_000;
const MOST_MS = 600_000;
/** A run that works on a head is no news; its attempts are remembered for longer than it could take to fail. */
const REMEMBERED_MS = 3 * MOST_MS;
const MOST_REMEMBERED = 400;

export interface RetriedStreams {
  readonly streams: readonly WatchedStream[];
  readonly attempts: readonly StreamAttempts[];
  /** Streams to start now. */
  readonly starts: readonly StreamNews[];
}

/**
 * Which of the streams whose head is not applied start now. One that has moved starts at once; one whose run has failed, or whose start came to nothing, after
 * a time that grows until its head moves.
 */
export function retryStreams(news: readonly StreamNews[], before: readonly StreamAttempts[], now: number, mayStart: boolean): RetriedStreams {
  const streams: WatchedStream[] = [];
  const starts: StreamNews[] = [];
  const known = new Map(before.filter(({ at }) => now - Date.parse(at) < REMEMBERED_MS).map((each) => [nameOf(each), each]));
  for (const stream of news) {
    const { repository, stream: name, head } = stream;
    const same = known.get(nameOf(stream));
    let tried = same?.head === head ? same : { repository, stream: name, head, attempts: 0, at: iso(now) };
    const isNew = tried !== same;
    if (stream.state === 'waiting') {
      streams.push({ ...stream, attempts: tried.attempts });
      continue;
    }
    const isDue = isNew ? stream.state === 'moved' : now >= Date.parse(nextAt(tried)) || (stream.state === 'moved' && tried.attempts === 0);
    if (mayStart && isDue) {
      starts.push(stream);
      tried = { ...tried, attempts: tried.attempts + 1, at: iso(now) };
    }
    if (mayStart || !isNew || stream.state === 'failed') known.set(nameOf(stream), tried);
    streams.push({ ...stream, attempts: tried.attempts, ...(mayStart && { nextAttemptAt: nextAt(tried) }) });
  }
  const attempts = [...known.values()].toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at)).slice(0, MOST_REMEMBERED);
  return { streams, attempts, starts };
}

function nextAt(tried: StreamAttempts): string {
  return iso(retryAt(tried));
}

/** When to try again, as `Date.now`. */
export function retryAt({ attempts, at }: { readonly attempts: number; readonly at: string }): number {
  return Date.parse(at) + Math.min(FIRST_MS * 3 ** attempts, MOST_MS);
}

function nameOf({ repository, stream }: { readonly repository: string; readonly stream: string }): string {
  return `${repository}/${stream}`;
}
