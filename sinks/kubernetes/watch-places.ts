import type { Place } from '../sink.ts';
import type { Metadata, Told } from './watch.ts';

/** Where a place is: its namespace, and what the changes that may be its own are called there. */
export interface PlaceAt {
  readonly namespace: string;
  readonly names: readonly string[];
}

export interface PlacesWatch {
  readonly places: readonly Place[];
  at(place: Place): PlaceAt;
  /** What `names` calls the object of an event. */
  nameOf(object: Metadata): string | undefined;
  /** Until the signal aborts, or throws. */
  watchNamespace(namespace: string, told: Told, signal: AbortSignal): Promise<void>;
}

/** One watch for each namespace, and the end of all of them where one is lost. As `Sink.watch`. */
export async function watchPlaces({ places, at, nameOf, watchNamespace }: PlacesWatch, onChange: (place: Place) => void, signal: AbortSignal): Promise<void> {
  const ending = new AbortController();
  const both = AbortSignal.any([signal, ending.signal]);
  const namespaces = Map.groupBy(places, (place) => at(place).namespace);
  const watches = [...namespaces].map(async ([namespace, own]) => {
    const named = Map.groupBy(
      own.flatMap((place) => at(place).names.map((name) => ({ name, place }))),
      ({ name }) => name,
    );
    const told: Told = {
      standing: () => own.forEach(onChange),
      changed: (object) => named.get(nameOf(object) ?? '')?.forEach(({ place }) => onChange(place)),
    };
    await watchNamespace(namespace, told, both);
  });
  try {
    await Promise.all(watches);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    ending.abort();
    await Promise.allSettled(watches);
  }
}
