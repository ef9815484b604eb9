import { setTimeout as delay } from 'node:timers/promises';
import { SinkError } from '../errors.ts';
import type { Place } from '../sink.ts';
import type { Shell } from './shell.ts';

// Directories that come and go all the time are looked at that often.
const BEGIN_AGAIN_MS = 200;

/** Tells of changes to files, as `Sink.watch` does. What comes to be a directory of theirs, or no longer is one, has the watch begun anew by itself. */
export async function watchFiles(
  shell: Shell,
  { root = '', timeoutMs }: { readonly root?: string | undefined; readonly timeoutMs: number },
  places: readonly Place[],
  onChange: (place: Place) => void,
  signal: AbortSignal,
): Promise<void> {
  const named = Map.groupBy(places, (place) => place.name);
  while (!signal.aborted) {
    try {
      await shell.watch({
        files: [...named.keys()],
        root,
        timeoutMs,
        signal,
        onStanding: () => places.forEach(onChange),
        onChange: (file) => named.get(file)?.forEach(onChange),
      });
    } catch (error) {
      const where = ['watch of files', shell.host].filter(Boolean).join(' on ');
      if (error instanceof SinkError) throw new SinkError(error.reason, `${where}: ${error.message}`, { cause: error.cause });
      throw new SinkError('unavailable', `${where}: it failed`, { cause: error });
    }
    await delay(BEGIN_AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}
