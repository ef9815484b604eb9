import { describe, expect, it } from 'vitest';
import type { StreamAttempts, StreamNews } from '../../domain/drift.ts';
import { retryStreams } from '../../domain/stream-retries.ts';
import { nextTick } from '../../domain/watch-clock.ts';

const SECOND = 1_000;

function news(state: StreamNews['state'], head = 'c1'): StreamNews {
  return { repository: 'config', stream: 'main', event: { kind: 'branch', name: 'main' }, head, state };
}

/** At which seconds a stream is started that is asked about each second and found as `stateAt` says (null: a run works on it). */
function startsOf(seconds: number, stateAt: (second: number) => StreamNews | null): number[] {
  let attempts: readonly StreamAttempts[] = [];
  const starts: number[] = [];
  for (let second = 0; second < seconds; second++) {
    const found = stateAt(second);
    const result = retryStreams(found ? [found] : [], attempts, second * SECOND, true);
    attempts = JSON.parse(JSON.stringify(result.attempts)) as StreamAttempts[];
    if (result.starts.length > 0) starts.push(second);
  }
  return starts;
}

describe('retries of streams', () => {
  it('start one that has moved at once, and one whose run failed after five seconds, then ever later up to ten minutes', () => {
    expect(startsOf(10, () => news('moved'))).toEqual([0]);
    const starts = startsOf(3_000, () => news('failed'));
    expect(starts.slice(0, 6).map((at, index) => at - (starts[index - 1] ?? 0))).toEqual([5, 15, 45, 135, 405, 600]);
  });

  it('count on over the times in which a run works on the head, and begin anew when it moves', () => {
    const starts = startsOf(100, (second) => (second % 20 < 10 ? news('failed') : null));
    expect(starts.slice(0, 3)).toEqual([5, 20, 65]);
    expect(startsOf(100, (second) => news('moved', second < 50 ? 'c1' : 'c2'))).toContain(50);
  });

  it('start nothing that waits for a person, and nothing while nothing may start', () => {
    expect(startsOf(100, () => news('waiting'))).toEqual([]);
    const { starts, streams, attempts } = retryStreams([news('moved'), news('failed')], [], 0, false);
    expect(starts).toEqual([]);
    expect(streams.every(({ nextAttemptAt }) => nextAttemptAt === undefined)).toBe(true);
    expect(retryStreams([news('moved')], attempts, SECOND, true).starts).toHaveLength(1);
  });

  it('remember at most some hundred', () => {
    const many = Array.from({ length: 1_000 }, (_, index) => ({ ...news('moved'), stream: `s${index}` }));
    expect(retryStreams(many, [], 0, true).attempts).toHaveLength(400);
  });
});

describe('the clock of a tenant', () => {
  it('ticks once in each interval, at times that differ by tenant and meet between intervals of one', () => {
    const first = nextTick('acme', 60_000, 1_000_000);
    expect(nextTick('acme', 60_000, first)).toBe(first + 60_000);
    expect(nextTick('acme', 60_000, first - 1)).toBe(first);
    expect(new Set(Array.from({ length: 20 }, (_, index) => nextTick(`tenant-${index}`, 60_000, 0))).size).toBeGreaterThan(15);
    const slow = nextTick('acme', 60_000, 0);
    expect(nextTick('acme', 30_000, slow - 1)).toBe(slow);
  });
});
