import type { CasStore, ItemChange } from '../cas/cas-store.ts';
import { inParallel } from '../cas/in-parallel.ts';
import type { Place } from '../sink.ts';
import { createConditionsCheck } from './conditions.ts';
import type { Objects } from './objects.ts';
import { placeNames } from './place-names.ts';

/** Objects of S3, each write conditional on the ETag that was read. Names are keys of the bucket. */
export function createObjectStore(objects: Objects): CasStore {
  const assureConditions = createConditionsCheck(objects);

  async function carryOut(bucket: string, change: ItemChange, signal: AbortSignal): Promise<string | null> {
    const at = { bucket, key: change.name };
    if (change.action === 'put') return objects.put(at, change.expected, change.body, change.attributes, signal);
    if (change.action === 'delete') await objects.delete(at, change.expected, signal);
    return null;
  }

  return {
    get: async (place, names, maxBytes, signal) => {
      const { bucket } = placeNames(place.name);
      return inParallel(names, async (key) => {
        const found = await objects.get({ bucket, key }, maxBytes, signal);
        return found && { body: found.body, version: found.etag, attributes: { ...found.attributes } };
      });
    },
    version: (place, name, signal) => objects.etag({ bucket: placeNames(place.name).bucket, key: name }, signal),
    write: async (place: Place, changes, signal) => {
      const { bucket, probe } = placeNames(place.name);
      await assureConditions({ bucket, key: probe }, signal);
      return inParallel(changes, (change) => carryOut(bucket, change, signal));
    },
    close: () => objects.close(),
  };
}
