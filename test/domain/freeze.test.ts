import { describe, expect, it } from 'vitest';
import { lastOccurrence } from '../../clients/cron.ts';
import type { FreezeWindow } from '../../domain/bundle.ts';
import { openFreeze } from '../../domain/freeze.ts';

const HOUR = 3_600_000;
const weekend: FreezeWindow = { from: '0 18 * * FRI', forMs: 62 * HOUR, timeZone: 'Europe/Berlin', reason: 'weekend' };
const windowOf = (from: string, hours: number, reason: string): FreezeWindow => ({ from, forMs: hours * HOUR, timeZone: 'UTC', reason });
const at = (time: string, ...windows: readonly FreezeWindow[]) => openFreeze(windows, new Date(time), lastOccurrence);

describe('a freeze', () => {
  it('begins with its first moment and is over at its end', () => {
    expect(at('2026-11-20T16:59:59.999Z', weekend)).toBeNull();
    expect(at('2026-11-20T17:00:00.000Z', weekend)).toEqual({ reason: 'weekend', until: '2026-11-23T07:00:00.000Z' });
    expect(at('2026-11-23T06:59:59.999Z', weekend)).toEqual({ reason: 'weekend', until: '2026-11-23T07:00:00.000Z' });
    expect(at('2026-11-23T07:00:00.000Z', weekend)).toBeNull();
  });

  it('lasts as long as it says while the clock changes: until 9 after the night that has an hour less, until 7 after the one that has one more', () => {
    expect(at('2026-03-28T12:00:00Z', weekend)?.until).toBe('2026-03-30T07:00:00.000Z');
    expect(at('2026-10-24T12:00:00Z', weekend)?.until).toBe('2026-10-26T06:00:00.000Z');
  });

  it('is there while any window is open, and tells all reasons', () => {
    const [day, night] = [windowOf('0 8 * * *', 4, 'day'), windowOf('0 10 * * *', 6, 'also day')];
    expect(at('2026-11-24T09:00:00Z', day, night)).toMatchObject({ reason: 'day' });
    expect(at('2026-11-24T11:00:00Z', day, night)).toMatchObject({ reason: 'day; also day' });
    expect(at('2026-11-24T17:00:00Z', day, night)).toBeNull();
    expect(at('2026-11-24T12:00:00Z')).toBeNull();
  });

  it('ends when the last of the windows ends that follow without a gap', () => {
    const [day, next, later] = [windowOf('0 8 * * *', 4, 'a'), windowOf('0 12 * * *', 4, 'b'), windowOf('0 17 * * *', 2, 'c')];
    expect(at('2026-11-24T09:00:00Z', day, next, later)).toEqual({ reason: 'a', until: '2026-11-24T16:00:00.000Z' });
    // A pattern that comes each minute of an hour holds until the last of them is over.
    expect(at('2026-11-24T08:05:00Z', windowOf('* 8 * * *', 2, 'busy'))?.until).toBe('2026-11-24T10:59:00.000Z');
  });

  it('of windows that never leave a gap is told for a while ahead, and not for ever', () => {
    expect(Date.parse(at('2026-11-24T09:00:00Z', windowOf('0 * * * *', 1, 'always'))?.until ?? '')).toBeGreaterThan(Date.parse('2026-11-25T00:00:00Z'));
  });
});
