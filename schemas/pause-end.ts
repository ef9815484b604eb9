import { duration } from './duration.ts';

/** When a pause is to end: an ISO 8601 time or a duration from `now`, as ISO 8601; or what is wrong with it. */
export function parsePauseEnd(text: string, now: Date): { readonly at: string } | { readonly problem: string } {
  const span = duration.safeParse(text);
  const at = span.success ? new Date(now.getTime() + span.data) : /^\d{4}-\d{2}-\d{2}T/.test(text) ? new Date(text) : new Date(Number.NaN);
  if (Number.isNaN(at.getTime()))
    return { problem: `"${text}" is no time; write a duration such as 30m or 2h, or a time such as ${now.toISOString().slice(0, 16)}Z` };
  if (at <= now) return { problem: `${at.toISOString()} is over already` };
  return { at: at.toISOString() };
}
