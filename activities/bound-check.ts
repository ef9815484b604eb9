import type { CheckedGroup, CheckedTarget, CheckStatus, RotatedSecret, StreamNews } from '../domain/drift.ts';
import type { Fingerprint } from '../domain/ledger.ts';

/** All of one interval, and what the asker knows of it. */
export interface WholeGroup {
  readonly intervalMs: number;
  readonly knownDigest: string;
  readonly targets: readonly CheckedTarget[];
}

// Together far below the 512 KiB at which Temporal begins to warn.
const MOST_TARGETS = 1_000;
const MOST_TARGET_BYTES = 250_000;
/** Keys are told of so many targets. */
const MOST_WITH_KEYS = 100;
const MOST_STREAMS = 200;
const MOST_ROTATED_BYTES = 100_000;

const RANKS: Readonly<Record<CheckStatus, number>> = { Drifted: 0, Unknown: 1, Pending: 2, Syncing: 3, Unverifiable: 4, InSync: 5 };

/** Keeps what a check answers within what Temporal takes: the named targets first, then the worst of all groups. A group that is as it was costs nothing. */
export function boundTargets(
  named: readonly CheckedTarget[],
  groups: readonly WholeGroup[],
  fingerprint: Fingerprint,
): { readonly targets: readonly CheckedTarget[]; readonly groups: readonly CheckedGroup[] } {
  const digests = new Map(groups.map((group) => [group, digestOf(group.targets, fingerprint)]));
  const told = groups.filter((group) => digests.get(group) !== group.knownDigest);
  const room = createRoom();
  const targets = named.flatMap((target) => room.take(target));
  const kept = new Map<CheckedTarget, CheckedTarget>();
  for (const target of told.flatMap((group) => group.targets).toSorted(worstFirst)) for (const small of room.take(target)) kept.set(target, small);
  return {
    targets,
    groups: groups.map((group) => {
      const digest = digests.get(group) ?? '';
      if (!told.includes(group)) return { intervalMs: group.intervalMs, targets: null, more: 0, digest };
      const found = group.targets.toSorted(worstFirst).flatMap((target) => kept.get(target) ?? []);
      return { intervalMs: group.intervalMs, targets: found, more: group.targets.length - found.length, digest };
    }),
  };
}

function createRoom(): { take(target: CheckedTarget): CheckedTarget[] } {
  let count = 0;
  let bytes = 0;
  return {
    take(target) {
      const small = count < MOST_WITH_KEYS ? target : withoutKeys(target);
      const size = Buffer.byteLength(JSON.stringify(small));
      if (count >= MOST_TARGETS || bytes + size > MOST_TARGET_BYTES) return [];
      count++;
      bytes += size;
      return [small];
    },
  };
}

function withoutKeys(target: CheckedTarget): CheckedTarget {
  if (!target.keys || target.keys.length === 0) return target;
  return { ...target, keys: [], moreKeys: target.keys.length + (target.moreKeys ?? 0) };
}

function worstFirst(a: CheckedTarget, b: CheckedTarget): number {
  return RANKS[a.status] - RANKS[b.status] || (a.id < b.id ? -1 : 1);
}

function digestOf(targets: readonly CheckedTarget[], fingerprint: Fingerprint): string {
  return fingerprint(
    targets
      .map((target) => JSON.stringify(target))
      .toSorted()
      .join('\n'),
  );
}

const NEWS: Readonly<Record<StreamNews['state'], number>> = { moved: 0, failed: 1, waiting: 2 };

/** What there is something to do for comes first. */
export function boundStreams(streams: readonly StreamNews[]): { readonly streams: readonly StreamNews[]; readonly more: number } {
  const kept = streams.toSorted((a, b) => NEWS[a.state] - NEWS[b.state] || (a.stream < b.stream ? -1 : 1)).slice(0, MOST_STREAMS);
  return { streams: kept, more: streams.length - kept.length };
}

/** A secret that has to wait stays unknown, so that the next check tells it. */
export function boundRotated(
  rotated: readonly RotatedSecret[],
  versions: Readonly<Record<string, number>>,
): { readonly rotated: readonly RotatedSecret[]; readonly versions: Readonly<Record<string, number>> } {
  let bytes = 0;
  const kept = rotated.filter((secret, index) => {
    bytes += Buffer.byteLength(JSON.stringify(secret));
    return index === 0 || bytes <= MOST_ROTATED_BYTES;
  });
  const waiting = new Set(rotated.filter((secret) => !kept.includes(secret)).map(({ secret }) => secret));
  return { rotated: kept, versions: Object.fromEntries(Object.entries(versions).filter(([name]) => !waiting.has(name))) };
}
