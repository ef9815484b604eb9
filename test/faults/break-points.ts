import type { Fault, Turn } from './tcp-proxy.ts';

/**
 * Where to break an exchange: at the first byte, in the middle and before the last byte of every turn; since a turn ends where the other side speaks,
 * that is before, in and after each request and each reply. Resets and each of the other ways to break at so many of them, evenly spread.
 */
export function breakPoints(turns: readonly Turn[], most: { readonly resets: number; readonly others: number }): readonly Fault[] {
  const points = turns.flatMap(({ direction, from, to }) => [...new Set([from, (from + to) >> 1, to - 1])].map((after) => ({ direction, after })));
  const others = (['close', 'hole', 'half-open'] as const).flatMap((how, index) =>
    spread(points.slice(index, -1), most.others).map((point): Fault => ({ how, ...point })),
  );
  return [...spread(points, most.resets).map((point): Fault => ({ how: 'reset', ...point })), ...others];
}

/** Where a request can be kept back. */
export function holdPoints(turns: readonly Turn[], most: number): readonly Fault[] {
  const requests = turns.filter(({ direction }) => direction === 'request');
  return spread(requests, most).map(({ direction, from }) => ({ how: 'hold', direction, after: from }));
}

/** At most so many: the first, the last and what is evenly between them, or the one in the middle. */
function spread<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  if (most === 1) return items.slice(items.length >> 1, (items.length >> 1) + 1);
  return Array.from({ length: most }, (_, index) => items[Math.round((index * (items.length - 1)) / (most - 1))]).filter((item) => item !== undefined);
}
