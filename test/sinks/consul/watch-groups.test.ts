import fc from 'fast-check';
import { expect, test } from 'vitest';
import { groupPlaces, type WatchGroup } from '../../../sinks/consul/watch-groups.ts';
import type { Place } from '../../../sinks/sink.ts';

const placesOf = (...names: readonly string[]): readonly Place[] =>
  names.map((name) => ({ name, layout: name.endsWith('/') ? 'keys' : 'document', fields: {} }));
const shown = (groups: readonly WatchGroup[]) => groups.map(({ asked, places }) => ['key' in asked ? asked.key : `${asked.prefix}*`, places.length]);

test('each place has a query of its own as long as there are few', () => {
  expect(shown(groupPlaces(placesOf('a/b/', 'a/c.json'), 2))).toEqual([
    ['a/b/*', 1],
    ['a/c.json', 1],
  ]);
});

test('those whose shared folder is the deepest are the first to share a query, and no more than it takes', () => {
  const places = placesOf('a/b/c/one/', 'a/b/c/two.json', 'a/b/c/three/', 'a/d/', 'e/', 'f/');
  expect(shown(groupPlaces(places, 5))).toEqual([
    ['a/b/c/three/*', 1],
    ['a/d/*', 1],
    ['e/*', 1],
    ['f/*', 1],
    ['a/b/c/*', 2],
  ]);
  expect(shown(groupPlaces(places, 3))).toEqual([
    ['e/*', 1],
    ['f/*', 1],
    ['a/*', 4],
  ]);
  expect(shown(groupPlaces(places, 1))).toEqual([['*', 6]]);
});

test('every place is in one group, whose query reaches it, and there are never too many', () => {
  const step = fc.constantFrom('a', 'b', 'c', 'dd');
  const name = fc.tuple(fc.array(step, { minLength: 1, maxLength: 4 }), fc.constantFrom('/', '')).map(([steps, end]) => steps.join('/') + end);
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 40 }), fc.integer({ min: 1, max: 20 }), (names, limit) => {
      const groups = groupPlaces(placesOf(...names), limit);
      expect(groups.length).toBeLessThanOrEqual(limit);
      expect(groups.flatMap(({ places }) => places.map((place) => place.name)).toSorted()).toEqual(names.toSorted());
      for (const { asked, places } of groups)
        for (const place of places) expect('key' in asked ? place.name === asked.key : place.name.startsWith(asked.prefix)).toBe(true);
    }),
  );
});
