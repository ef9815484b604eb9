import type { Provider } from './bundle.ts';
import type { GlobMatcher, RefEvent } from './routing.ts';

/** Full name of the ref that an event is about, as the provider serves it. Bitbucket has no refs for pull requests: their source branch stands for them. */
export function refNameOf(provider: Provider, event: RefEvent): string {
  switch (event.kind) {
    case 'branch':
      return `refs/heads/${event.name}`;
    case 'tag':
      return `refs/tags/${event.name}`;
    case 'pull-request':
      if (provider === 'bitbucket' && event.branch !== undefined) return `refs/heads/${event.branch}`;
      return provider === 'gitlab' ? `refs/merge-requests/${event.number}/head` : `refs/pull/${event.number}/head`;
  }
}

/**
 * The commit at the head of a stream, given all refs of the remote: that of the branch or pull request; for a stream of tags, that of the tag
 * that sorts highest by number (`v1.10` after `v1.9`). Undefined if the ref is gone.
 */
export function headOfStream(stream: string, ref: string, heads: ReadonlyMap<string, string>, match: GlobMatcher): string | undefined {
  if (!stream.startsWith(TAG_STREAM)) return heads.get(ref);
  const newest = newestTag(stream.slice(TAG_STREAM.length), heads, match);
  return newest === undefined ? undefined : heads.get(`refs/tags/${newest}`);
}

export function newestTag(pattern: string, heads: ReadonlyMap<string, string>, match: GlobMatcher): string | undefined {
  const tags = [...heads.keys()].flatMap((ref) => (ref.startsWith('refs/tags/') ? [ref.slice('refs/tags/'.length)] : []));
  return tags
    .filter((tag) => tag === pattern || match(pattern, tag))
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .at(-1);
}

export const TAG_STREAM = 'tags:';

/** Stands for the commit of a pull request that was closed by somebody who did not say it. */
export const NO_COMMIT = '0'.repeat(40);
