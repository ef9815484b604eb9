/** Whether the calls over one connection are worth trying. Times are milliseconds of whatever clock the caller has. */
export type Circuit =
  /** `failures` in a row so far, the first of them at `since`. */
  | { readonly state: 'closed'; readonly failures: number; readonly since: number }
  /** Nobody answered since `since`; nothing is tried until `until`. `waitedMs` is how long that wait is, for the next one. */
  | { readonly state: 'open'; readonly since: number; readonly until: number; readonly waitedMs: number }
  /** One call is under way since `probedAt`; what becomes of it decides. */
  | { readonly state: 'half-open'; readonly since: number; readonly probedAt: number; readonly waitedMs: number };

export interface CircuitPolicy {
  /** Calls in a row without an answer that open the circuit. */
  readonly failures: number;
  /** The first wait, and the longest: each probe that fails doubles it. */
  readonly waitMs: number;
  readonly longestWaitMs: number;
  /** A probe that is not over after this long counts as lost, and another may go. */
  readonly probeMs: number;
}

/** At first, and whenever somebody at the other end answered, whatever the answer was. */
export const closedCircuit: Circuit = { state: 'closed', failures: 0, since: 0 };

/** `probe`: the one call that finds out whether the other end is back. */
export type Leave = 'call' | 'probe' | 'refused';

/** Asks for leave to call. Where it is refused, {@link retryAt} says when to ask again. */
export function admit(circuit: Circuit, now: number, policy: CircuitPolicy): { readonly circuit: Circuit; readonly leave: Leave } {
  if (circuit.state === 'closed') return { circuit, leave: 'call' };
  if (now < retryAt(circuit, policy)) return { circuit, leave: 'refused' };
  return { circuit: { state: 'half-open', since: circuit.since, probedAt: now, waitedMs: circuit.waitedMs }, leave: 'probe' };
}

/** When the next call may go: 0 where it may at once. */
export function retryAt(circuit: Circuit, policy: CircuitPolicy): number {
  if (circuit.state === 'closed') return 0;
  return circuit.state === 'open' ? circuit.until : circuit.probedAt + policy.probeMs;
}

/** Nobody answered. A call of before the circuit opened that fails only now says nothing new. */
export function unanswered(circuit: Circuit, leave: Leave, now: number, policy: CircuitPolicy): Circuit {
  if (circuit.state === 'closed') {
    const failures = circuit.failures + 1;
    const since = circuit.failures === 0 ? now : circuit.since;
    return failures < policy.failures ? { state: 'closed', failures, since } : openFor(policy.waitMs, since, now);
  }
  if (circuit.state === 'open' || leave !== 'probe') return circuit;
  return openFor(Math.min(circuit.waitedMs * 2, policy.longestWaitMs), circuit.since, now);
}

/** A call ended without telling anything of the other end, such as one that was cancelled. If it was the probe, the next call is. */
export function abandoned(circuit: Circuit, leave: Leave, now: number): Circuit {
  if (circuit.state !== 'half-open' || leave !== 'probe') return circuit;
  return { state: 'open', since: circuit.since, until: now, waitedMs: circuit.waitedMs };
}

function openFor(waitedMs: number, since: number, now: number): Circuit {
  return { state: 'open', since, until: now + waitedMs, waitedMs };
}
