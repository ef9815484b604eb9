import type { Tenant } from './bundle.ts';
import { rulesOf, streamOf, type GlobMatcher, type RefEvent } from './routing.ts';
import { newestTag, TAG_STREAM } from './stream-head.ts';

export interface StreamHead {
  readonly stream: string;
  readonly event: RefEvent;
  readonly commit: string;
}

/** Every stream of a repository that some rule routes, at its head as the remote's refs say it: branches, patterns of tags, pull requests. */
export function streamsOf(tenant: Tenant, repository: string, heads: ReadonlyMap<string, string>, match: GlobMatcher): StreamHead[] {
  const rules = rulesOf(tenant, repository);
  const streams = new Map<string, StreamHead>();
  for (const [ref, commit] of heads) {
    const event = eventOf(ref);
    const stream = event && streamOf(rules, event, match);
    if (event && stream !== null && stream !== undefined) streams.set(stream, { stream, event, commit });
  }
  // Of a stream of tags the newest one is the head, whatever the order of the refs.
  for (const stream of [...streams.keys()].filter((name) => name.startsWith(TAG_STREAM))) {
    const name = newestTag(stream.slice(TAG_STREAM.length), heads, match);
    const commit = name === undefined ? undefined : heads.get(`refs/tags/${name}`);
    if (name !== undefined && commit !== undefined) streams.set(stream, { stream, event: { kind: 'tag', name }, commit });
  }
  return [...streams.values()];
}

function eventOf(ref: string): RefEvent | null {
  const [, branch] = /^refs\/heads\/(.+)$/.exec(ref) ?? [];
  if (branch !== undefined) return { kind: 'branch', name: branch };
  const [, tag] = /^refs\/tags\/(.+)$/.exec(ref) ?? [];
  if (tag !== undefined) return { kind: 'tag', name: tag };
  const [, number] = /^refs\/(?:pull|merge-requests)\/(\d+)\/head$/.exec(ref) ?? [];
  return number === undefined ? null : { kind: 'pull-request', number: Number(number) };
}
