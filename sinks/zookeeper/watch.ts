import { abortable } from '../abortable.ts';
import { SinkError } from '../errors.ts';
import type { Place } from '../sink.ts';
import type { Watch } from '../watchable.ts';
import type { OpenSession } from './ensemble.ts';
import { encodePath, encodeWatch, OP } from './operations.ts';
import type { Session } from './session.ts';
import { isOwn, ledgerPath, pathsTo } from './znode-names.ts';
import { CODE, ConnectionLost, ServerRefusal, zooKeeperError } from './zookeeper-error.ts';

const PLACES_AT_ONCE = 250;

/** Persistent watches, in a session that does nothing else. `name` begins the messages of errors. */
export function createWatch(name: string, open: OpenSession, chroot: string): Watch {
  const pathOf = (place: Place): string => chroot + place.name;

  async function begin(session: Session, place: Place): Promise<void> {
    const reach = place.layout === 'tree' ? 'below' : 'alone';
    // Of a znode that we may not read, newer servers tell us nothing, and older ones everything.
    const allowed = session
      .request(OP.getAcl, encodePath(chroot + ledgerPath(place)), () => undefined)
      .catch((error: unknown) => {
        if (!(error instanceof ServerRefusal) || error.code !== CODE.noNode) throw error;
      });
    await Promise.all([session.request(OP.addWatch, encodeWatch(pathOf(place), reach), () => undefined), allowed]);
  }

  return async (places, onChange, signal) => {
    const [trees, documents] = ['tree', 'document'].map((layout) =>
      Map.groupBy(
        places.filter((place) => place.layout === layout),
        pathOf,
      ),
    );

    function onEvent(path: string): void {
      for (const place of documents?.get(path) ?? []) onChange(place);
      if (isOwn(path)) return;
      for (const place of pathsTo(path).flatMap((each) => trees?.get(each) ?? [])) onChange(place);
    }

    async function run(session: Session): Promise<never> {
      for (let from = 0; from < places.length; from += PLACES_AT_ONCE)
        await Promise.all(places.slice(from, from + PLACES_AT_ONCE).map((place) => begin(session, place)));
      for (const place of places) onChange(place);
      throw await session.ended;
    }

    let session: Session | undefined;
    let isOver = false;
    const work = async (): Promise<void> => {
      session = await open(signal, onEvent);
      if (isOver) await session.close();
      else await run(session);
    };
    try {
      await abortable(signal, () => new ConnectionLost('the watch was ended'), work);
    } catch (error) {
      if (error instanceof ServerRefusal && error.code === CODE.unimplemented)
        throw new SinkError('unsupported', `${name}: it does not tell of changes, so that its targets are polled; ZooKeeper 3.6 or newer does`);
      throw zooKeeperError(name, error);
    } finally {
      isOver = true;
      await session?.close();
    }
  };
}
