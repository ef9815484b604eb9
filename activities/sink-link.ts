import { SinkError } from '../sinks/errors.ts';
import type { Sink } from '../sinks/sink.ts';

/** A connection that is made when it is needed, closed when it was not for a while, and made anew when its credentials may have changed. */
export interface SinkLink {
  /** Runs `act` on the connection; it stays open at least that long. */
  use<T>(act: (sink: Sink) => Promise<T>): Promise<T>;
  /** The next use connects anew. Those that go on are let finish. */
  renew(): void;
  /** From now on, a connection lasts no longer than the calls on it. */
  retire(): void;
  /** Whether there is a connection, or one is being made. */
  isOpen(): boolean;
  /** Closes at once and for good, whoever uses it. */
  close(): Promise<void>;
}

interface Connection {
  readonly sink: Promise<Sink>;
  users: number;
}

/** `idleMs` null: it stays open. */
export function createSinkLink(connect: () => Promise<Sink>, idleMs: number | null): SinkLink {
  const open = new Set<Connection>();
  let current: Connection | undefined;
  let idle: NodeJS.Timeout | undefined;
  let retired = false;
  let closed = false;

  function connection(): Connection {
    if (current) return current;
    const made: Connection = { sink: connect(), users: 0 };
    current = made;
    open.add(made);
    made.sink.catch(() => {
      open.delete(made);
      if (current === made) current = undefined;
    });
    return made;
  }

  async function end(made: Connection): Promise<void> {
    if (!open.delete(made)) return;
    // A connection that never came about has told its users; closing one is best effort.
    await made.sink.then((sink) => sink.close()).catch(() => undefined);
  }

  function renew(): void {
    clearTimeout(idle);
    const outdated = current;
    current = undefined;
    if (outdated?.users === 0) void end(outdated);
  }

  return {
    async use(act) {
      if (closed) throw new SinkError('unavailable', 'the worker closes its connections');
      clearTimeout(idle);
      const made = connection();
      made.users++;
      try {
        return await act(await made.sink);
      } finally {
        made.users--;
        if (made.users === 0 && retired && made === current) renew();
        else if (made.users === 0 && made !== current) void end(made);
        else if (made.users === 0 && idleMs !== null) idle = setTimeout(renew, idleMs).unref();
      }
    },
    renew,
    retire() {
      retired = true;
      renew();
    },
    isOpen: () => open.size > 0,
    async close() {
      closed = true;
      clearTimeout(idle);
      current = undefined;
      await Promise.all([...open].map(end));
    },
  };
}
