import type { Attempt } from './attempt.ts';
import type { SecretPath } from './check-memory.ts';
import { targetAs, type Checked, type TargetToCheck } from './check-target.ts';

/** What a check has found so far, which the next attempt goes on with when its worker dies. */
export interface CheckProgress {
  /** What was found at a target before, as long as that is still to be believed. */
  known(asked: TargetToCheck): Checked | null;
  add(asked: TargetToCheck, checked: Checked): void;
}

/** A target that is as it should be; whatever else there is to say is found out anew. */
interface FoundWell {
  readonly id: string;
  /** Of `Date.now`, when it was looked at. */
  readonly at: number;
  readonly stream: string;
  readonly status: 'InSync' | 'Unverifiable';
  readonly commit?: string;
  readonly secrets?: readonly SecretPath[];
}

interface Carried {
  /** Of all that the check was asked for. */
  readonly of: string;
  readonly found: readonly FoundWell[];
}

const BELIEVED_FOR_MS = 120_000;
/** Each heartbeat carries all of it. */
const MOST_BYTES = 150_000;

/** `of` says what is checked: what was found of something else counts for nothing. It is asked for only where a check lasts. */
export function createCheckProgress({ carry, earlier }: Pick<Attempt, 'carry' | 'earlier'>, of: () => string, now: () => number = Date.now): CheckProgress {
  let name: string | undefined;
  const nameOf = (): string => (name ??= of());
  const before = new Map((isCarried(earlier) && earlier.of === nameOf() ? earlier.found : []).map((each) => [each.id, each]));
  const found = new Map<string, FoundWell>();
  let bytes = 0;
  carry(() => ({ of: nameOf(), found: [...found.values()] }) satisfies Carried);

  function keep(each: FoundWell): void {
    bytes += Buffer.byteLength(JSON.stringify(each)) + 1;
    if (bytes <= MOST_BYTES) found.set(each.id, each);
  }

  // An attempt that dies soon takes nothing of what the one before found with it.
  for (const each of before.values()) if (now() - each.at < BELIEVED_FOR_MS) keep(each);
  return {
    known(asked) {
      const well = before.get(asked.target.id);
      const stream = asked.streams.find((each) => each.stream === well?.stream);
      if (!well || !stream || now() - well.at >= BELIEVED_FOR_MS) return null;
      const { at, status, commit, secrets = [] } = well;
      // A run may have written since.
      if (asked.streams.some(({ runs }) => runs?.isRunning || (runs?.last?.closedAt ?? 0) >= at)) return null;
      return { target: targetAs(asked, stream, { ...(commit !== undefined && { commit }), status }), secrets };
    },
    add({ target: { id } }, { target: { status, stream, commit, message }, secrets }) {
      if ((status !== 'InSync' && status !== 'Unverifiable') || message !== undefined) return;
      // One that was known is carried on with the time of its look.
      if (!found.has(id)) keep({ id, at: now(), stream, status, ...(commit !== undefined && { commit }), ...(secrets.length > 0 && { secrets }) });
    },
  };
}

/** A worker of another build may have found it. */
function isCarried(earlier: unknown): earlier is Carried {
  const { of, found } = (earlier ?? {}) as Partial<Carried>;
  return typeof of === 'string' && Array.isArray(found);
}
