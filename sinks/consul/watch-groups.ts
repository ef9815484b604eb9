import type { Place } from '../sink.ts';
import type { Asked } from './client.ts';

/** Places that one blocking query waits for. */
export interface WatchGroup {
  /** Of one place, what is asked for it; of several, the folder that they share. */
  readonly asked: Asked;
  readonly places: readonly Place[];
}

/** What tells the changes of a place. */
export function askedFor({ layout, name }: Place): Asked {
  return layout === 'keys' ? { prefix: name } : { key: name };
}

/**
 * At most `limit` groups: one for each place as long as there are so few, else with those in one where the folder that they share is the deepest, and
 * no more of them than it takes. What changes in a folder and is of none of its places wakes the query for nothing, so that deep ones are the better.
 */
export function groupPlaces(places: readonly Place[], limit: number): readonly WatchGroup[] {
  let groups: readonly WatchGroup[] = places.map((place) => ({ asked: askedFor(place), places: [place] }));
  for (let depth = Math.max(0, ...groups.map(depthOf)) - 1; depth >= 0 && groups.length > limit; depth--) {
    const folders = Map.groupBy(
      groups.filter((group) => depthOf(group) > depth),
      (group) => folderAt(group, depth),
    );
    for (const [prefix, members] of [...folders].toSorted(([, one], [, other]) => other.length - one.length)) {
      const joined = new Set(members.slice(0, groups.length - limit + 1));
      if (groups.length <= limit || joined.size < 2) break;
      groups = [...groups.filter((group) => !joined.has(group)), { asked: { prefix }, places: [...joined].flatMap((group) => group.places) }];
    }
  }
  return groups;
}

/** 1 for `a/` and for `a`. */
function depthOf(group: WatchGroup): number {
  return nameOf(group).replace(/\/$/, '').split('/').length;
}

function folderAt(group: WatchGroup, depth: number): string {
  const steps = nameOf(group).split('/').slice(0, depth);
  return steps.map((step) => `${step}/`).join('');
}

function nameOf({ asked }: WatchGroup): string {
  return 'key' in asked ? asked.key : asked.prefix;
}
