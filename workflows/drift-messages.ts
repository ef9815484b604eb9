import type { ForcedHeal } from '../domain/drift.ts';
import { checkNowSignal, forceHealSignal, pauseSignal, renewSignal, resumeSignal, type Pause } from './messages.ts';

export type DriftMessage =
  | { readonly kind: 'pause'; readonly pause: Omit<Pause, 'since'> }
  | { readonly kind: 'resume'; readonly by: string }
  | { readonly kind: 'forceHeal'; readonly forced: ForcedHeal; readonly reason?: string }
  | { readonly kind: 'checkNow'; readonly targets?: readonly string[]; readonly neverPolled: boolean }
  | { readonly kind: 'renew' }
  /** Nothing that can be acted on, such as a payload typed by hand in the Temporal UI. */
  | { readonly kind: 'invalid'; readonly why: string };

const MOST_TARGETS = 1_000;
const LONGEST = 1_000;

/** A signal as it was sent, by whomever. Never throws: a workflow that cannot take a message would take none after it either. */
export function readMessage(name: string, payload: unknown): DriftMessage {
  const fields = typeof payload === 'object' && payload !== null && !Array.isArray(payload) ? (payload as Readonly<Record<string, unknown>>) : undefined;
  const invalid = (why: string): DriftMessage => ({ kind: 'invalid', why: `${name.slice(0, 100)}: ${why}` });
  const by = textOf(fields?.['by']);
  const reason = textOf(fields?.['reason']);
  switch (name) {
    case pauseSignal.name: {
      if (by === undefined || reason === undefined) return invalid('needs {"by": "who", "reason": "why"}');
      const until = fields?.['until'] ?? undefined;
      if (until === undefined) return { kind: 'pause', pause: { by, reason } };
      const end = typeof until === 'string' ? Date.parse(until) : Number.NaN;
      if (Number.isNaN(end)) return invalid('"until" is no time; write one such as "2026-01-31T18:00:00Z"');
      return { kind: 'pause', pause: { by, reason, until: new Date(end).toISOString() } };
    }
    case resumeSignal.name:
      return by === undefined ? invalid('needs {"by": "who"}') : { kind: 'resume', by };
    case forceHealSignal.name: {
      if (by === undefined) return invalid('needs {"by": "who"}');
      const targets = targetsOf(fields?.['targets']);
      if (targets === null) return invalid('"targets" is no list of names such as "rule/environment/0"');
      const force = fields?.['force'] === true && { force: true as const };
      return { kind: 'forceHeal', forced: { by, ...(targets && { targets }), ...force }, ...(reason !== undefined && { reason }) };
    }
    case checkNowSignal.name: {
      const targets = targetsOf(fields?.['targets']);
      if (targets === null || (payload !== undefined && payload !== null && !fields))
        return invalid('"targets" is no list of names such as "rule/environment/0"');
      return { kind: 'checkNow', neverPolled: fields?.['onReload'] !== true, ...(targets && { targets }) };
    }
    case renewSignal.name:
      return { kind: 'renew' };
    default:
      return invalid('a signal of an unknown name');
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.slice(0, LONGEST) : undefined;
}

/** Undefined where none are named; null for what is no list of names. */
function targetsOf(value: unknown): readonly string[] | undefined | null {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || value.length > MOST_TARGETS) return null;
  return value.every((each) => typeof each === 'string' && each.length <= LONGEST) ? (value as readonly string[]) : null;
}
