import type { RotatedSecret, RotationAttempts, TenantCheck, WatchState } from './drift.ts';
import { retryAt } from './stream-retries.ts';
import { iso } from './watch-clock.ts';

const MOST_VERSIONS = 2_000;
const MOST_REMEMBERED = 400;

export interface RotationCircumstances {
  readonly now: number;
  readonly mayWrite: boolean;
  /** A person asked for this check, and does not wait for the next try. */
  readonly isAsked: boolean;
}

/**
 * The secrets whose targets are written now, and the versions that are known then: one that has to wait for the end of a pause or freeze stays unknown. A
 * newer version is written at once; one whose run failed after a time that grows, since each try writes to the targets that take it and undoes that again.
 */
export function rotateSecrets(state: WatchState, check: TenantCheck, { now, mayWrite, isAsked }: RotationCircumstances) {
  const { secretVersions: known, rotations: before } = state;
  if (check.secretVersions === null) return { versions: known, starts: [], attempts: before };
  const news = check.rotated.filter(({ secret, version, again }) => again || (known[secret] ?? 0) < version);
  const isHeldUp = (rotated: RotatedSecret): boolean => !mayWrite || rotated.targets.some(({ freeze }) => freeze !== undefined);

  const versions: Record<string, number> = { ...known, ...check.secretVersions };
  for (const { secret } of news.filter(isHeldUp)) {
    const version = known[secret];
    if (version === undefined) delete versions[secret];
    else versions[secret] = version;
  }

  const tried = new Map(before.map((each) => [each.secret, each]));
  const starts: RotatedSecret[] = [];
  for (const rotated of news.filter((each) => !isHeldUp(each))) {
    const { secret, version } = rotated;
    const last = tried.get(secret);
    const isSame = last?.version === version;
    if (isSame && !isAsked && now < retryAt(last)) continue;
    starts.push(rotated);
    tried.set(secret, { secret, version, attempts: isSame ? last.attempts + 1 : 1, at: iso(now) });
  }
  // Whatever is not told again has ended well.
  const failing = new Set(news.map(({ secret }) => secret));
  const attempts: readonly RotationAttempts[] = [...tried.values()].filter(({ secret, at }) => failing.has(secret) || now < Date.parse(at) + REMEMBERED_MS);
  return { versions: Object.fromEntries(Object.entries(versions).slice(-MOST_VERSIONS)), starts, attempts: attempts.slice(-MOST_REMEMBERED) };
}

/** Longer than a run takes: while it works nothing is said of it. */
const REMEMBERED_MS = 1_800_000;
