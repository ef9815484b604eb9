import type { Place } from '../sink.ts';
import { placeKeys } from './place-keys.ts';

/** Events by key (K), of strings ($), of hashes (h), of keys of any type (g), expired (x) and evicted (e) ones. */
export const REQUIRED_FLAGS = 'Kg$hxe';

/** What `notify-keyspace-events` lacks. */
export function missingFlags(flags: string): string {
  // A stands for every flag of a type of event.
  return REQUIRED_FLAGS.split('')
    .filter((flag) => !flags.includes(flag) && (flag === 'K' || !flags.includes('A')))
    .join('');
}

export interface Channels {
  channelOf(key: string): string;
  /** By channel. */
  readonly exact: ReadonlyMap<string, readonly Place[]>;
  /** By pattern; `own` are the channels below it that are of the ledger and what is beside it. */
  readonly patterns: ReadonlyMap<string, readonly { readonly place: Place; readonly own: ReadonlySet<string> }[]>;
}

/** Where the changes of the places are told. */
export function channelsOf(places: readonly Place[], database: number): Channels {
  const channelOf = (key: string): string => `__keyspace@${database}__:${key}`;
  const isPrefix = ({ layout }: Place): boolean => layout === 'keys';
  const prefixes = places.filter(isPrefix).map((place) => ({ place, own: new Set(Object.values<string>({ ...placeKeys(place.name) }).map(channelOf)) }));
  return {
    channelOf,
    exact: Map.groupBy(
      places.filter((place) => !isPrefix(place)),
      ({ name }) => channelOf(name),
    ),
    patterns: Map.groupBy(prefixes, ({ place }) => `${escapeGlob(channelOf(place.name))}*`),
  };
}

function escapeGlob(text: string): string {
  return text.replaceAll(/[*?[\]\\]/g, String.raw`\$&`);
}
