import { describe, expect, it } from 'vitest';
import { cronProblem, lastOccurrence } from '../../clients/cron.ts';

const last = (pattern: string, at: string, zone = 'Europe/Berlin'): string | undefined => lastOccurrence(pattern, zone, new Date(at))?.toISOString();
const HOUR = 3_600_000;

describe('the last occurrence of a cron pattern', () => {
  it('is by the clock of its zone, in summer and in winter', () => {
    expect(last('0 18 * * FRI', '2026-11-24T12:00:00Z')).toBe('2026-11-20T17:00:00.000Z');
    expect(last('0 18 * * FRI', '2026-07-24T20:00:00Z')).toBe('2026-07-24T16:00:00.000Z');
    expect(last('0 18 * * FRI', '2026-11-24T12:00:00Z', 'America/New_York')).toBe('2026-11-20T23:00:00.000Z');
  });

  it('is the moment itself, and not a millisecond before it', () => {
    expect(last('0 18 * * FRI', '2026-11-20T17:00:00.000Z')).toBe('2026-11-20T17:00:00.000Z');
    expect(last('0 18 * * FRI', '2026-11-20T16:59:59.999Z')).toBe('2026-11-13T17:00:00.000Z');
  });

  it('of a time that spring leaves out is the end of the gap, and of one that autumn has twice the first', () => {
    expect(last('30 2 * * *', '2026-03-29T12:00:00Z')).toBe('2026-03-29T01:00:00.000Z');
    expect(last('30 2 * * *', '2026-10-25T12:00:00Z')).toBe('2026-10-25T00:30:00.000Z');
  });
});

describe('a cron pattern', () => {
  const problem = (pattern: string, zone = 'UTC', lengthMs = HOUR): string => {
    const found = cronProblem(pattern, zone, lengthMs);
    return found === null ? 'none' : `${found.field}: ${found.message}`;
  };

  it('is taken where it comes again and ends', () => {
    for (const pattern of ['0 18 * * FRI', '0 0 24 12 *', '0 0 29 2 *', '*/10 9-17 * * MON-FRI']) expect(problem(pattern, 'Europe/Berlin')).toBe('none');
    expect(problem('* 18 * * FRI', 'UTC', 62 * HOUR)).toBe('none');
  });

  it.each([
    ['0 18 * *', 'UTC', /^from: write five fields/],
    ['@daily', 'UTC', /^from: write five fields/],
    ['0 0 18 * * FRI', 'UTC', /^from: write five fields/],
    ['61 * * * *', 'UTC', /^from: is no cron pattern \(Invalid value for minute: 61\); write five fields/],
    ['0 18 31 FEB *', 'UTC', /^from: never comes/],
    ['0 18 * * FRI', 'Mars/Olympus', /^timeZone: is no time zone; write its IANA name/],
    ['0 18 * * FRI', '+01:00', /^timeZone: is no time zone/],
  ])('%s in %s is refused with its field and what to write', (pattern, zone, words) => {
    expect(problem(pattern, zone)).toMatch(words);
  });

  it('is refused where its windows leave no gap', () => {
    expect(problem('0 * * * *', 'UTC', HOUR)).toMatch(/^for: never ends/);
    expect(problem('0 0 * * *', 'UTC', 24 * HOUR)).toMatch(/^for: never ends/);
    expect(problem('0 0 * * *', 'UTC', 23 * HOUR)).toBe('none');
  });
});
