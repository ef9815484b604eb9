import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { abandoned, admit, closedCircuit, retryAt, unanswered, type Circuit, type CircuitPolicy, type Leave } from '../../domain/circuit-breaker.ts';

const policy: CircuitPolicy = { failures: 3, waitMs: 1_000, longestWaitMs: 4_000, probeMs: 10_000 };

describe('a circuit', () => {
  test('lets everything through at first, and after an answer', () => {
    expect(admit(closedCircuit, 0, policy)).toEqual({ circuit: closedCircuit, leave: 'call' });
    expect(retryAt(closedCircuit, policy)).toBe(0);
  });

  test('opens after failures in a row, and remembers the first of them', () => {
    const two = failing(failing(closedCircuit, 100), 200);
    expect(two).toEqual({ state: 'closed', failures: 2, since: 100 });
    expect(failing(two, 300)).toEqual({ state: 'open', since: 100, until: 1_300, waitedMs: 1_000 });
  });

  test('refuses until its wait is over, then lets one call through', () => {
    const open = opened(0);
    expect(admit(open, 999, policy).leave).toBe('refused');
    const probing = admit(open, 1_000, policy);
    expect(probing).toEqual({ circuit: { state: 'half-open', since: 0, probedAt: 1_000, waitedMs: 1_000 }, leave: 'probe' });
    expect(admit(probing.circuit, 1_001, policy).leave).toBe('refused');
  });

  test('waits twice as long after each probe that fails, up to the longest wait', () => {
    const waits: number[] = [];
    let circuit = opened(0);
    for (let probe = 0; probe < 4; probe++) {
      const at = retryAt(circuit, policy);
      circuit = unanswered(admit(circuit, at, policy).circuit, 'probe', at, policy);
      waits.push(retryAt(circuit, policy) - at);
    }
    expect(waits).toEqual([2_000, 4_000, 4_000, 4_000]);
  });

  test('takes no notice of a call that began before it opened and fails later', () => {
    const open = opened(0);
    expect(unanswered(open, 'call', 500, policy)).toBe(open);
    const { circuit } = admit(open, 1_000, policy);
    expect(unanswered(circuit, 'call', 1_500, policy)).toBe(circuit);
  });

  test('whose probe was cancelled lets the next call find out', () => {
    const { circuit } = admit(opened(0), 1_000, policy);
    expect(abandoned(circuit, 'call', 1_100)).toBe(circuit);
    expect(admit(abandoned(circuit, 'probe', 1_100), 1_100, policy).leave).toBe('probe');
    expect(abandoned(closedCircuit, 'call', 1_100)).toBe(closedCircuit);
  });

  test('whose probe never comes back lets another one go in the end', () => {
    const { circuit } = admit(opened(0), 1_000, policy);
    expect(admit(circuit, 10_999, policy).leave).toBe('refused');
    expect(admit(circuit, 11_000, policy).leave).toBe('probe');
  });

  test('never refuses for ever, and lets no two probes go within the time of one', () => {
    const step = fc.record({ after: fc.integer({ min: 0, max: 5_000 }), end: fc.constantFrom('answered', 'unanswered', 'abandoned', 'pending') });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let circuit: Circuit = closedCircuit;
        let now = 0;
        let pending: number | undefined;
        for (const { after, end } of steps) {
          now += after;
          const asked = admit(circuit, now, policy);
          if (asked.leave === 'refused') {
            expect(retryAt(circuit, policy)).toBeGreaterThan(now);
            expect(retryAt(circuit, policy) - now).toBeLessThanOrEqual(Math.max(policy.longestWaitMs, policy.probeMs));
            continue;
          }
          if (asked.leave === 'probe' && pending !== undefined) expect(now - pending).toBeGreaterThanOrEqual(policy.probeMs);
          pending = asked.leave === 'probe' && end === 'pending' ? now : undefined;
          circuit = ended(asked.circuit, asked.leave, end, now);
        }
      }),
    );
  });
});

function failing(circuit: Circuit, now: number): Circuit {
  return unanswered(circuit, 'call', now, policy);
}

function opened(at: number): Circuit {
  return failing(failing(failing(closedCircuit, at), at), at);
}

function ended(circuit: Circuit, leave: Leave, end: string, now: number): Circuit {
  if (end === 'answered') return closedCircuit;
  if (end === 'unanswered') return unanswered(circuit, leave, now, policy);
  return end === 'abandoned' ? abandoned(circuit, leave, now) : circuit;
}
