import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What the client says, or what the server says. */
export type Direction = 'request' | 'reply';

/**
 * What happens to a connection when more than `after` bytes of a direction have come, counted over all connections from when the fault was set:
 * `reset`: RST to both; `close`: both are ended; `hole`: nothing passes any more, and nobody is told; `half-open`: the server sees its client gone, the
 * client sees nothing; `hold`: what the client says is kept, and passed on when the proxy heals.
 */
export interface Fault {
  readonly how: 'reset' | 'close' | 'hole' | 'half-open' | 'hold';
  readonly direction: Direction;
  readonly after: number;
}

/** A run of bytes in one direction, until the other side spoke. */
export interface Turn {
  readonly direction: Direction;
  /** Counted like `after`: how many bytes of this direction had come before it, and at its end. */
  readonly from: number;
  readonly to: number;
}

/** Stands between a driver and its server, and breaks where it is told. While a fault is in effect, new connections meet it too. */
export interface TcpProxy extends Address {
  /** Starts to count anew, and to record turns; with a fault, breaks where it says. */
  watch(fault?: Fault): void;
  /** Passes each chunk on so much later. */
  slowDown(ms: number): void;
  readonly struck: boolean;
  turns(): readonly Turn[];
  /** Ends the fault: connections that it broke are closed, what it held is passed on, and new ones pass. */
  heal(): void;
  /** Bytes that were held and now have reached the server's socket. */
  readonly released: Promise<void>;
  stop(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  broken: boolean;
  held: Buffer[] | null;
}

export async function startTcpProxy(target: Address): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  const counts = { request: 0, reply: 0 };
  let turns: { direction: Direction; from: number; to: number }[] = [];
  let fault: Fault | undefined;
  let struck = false;
  let delayMs = 0;
  let released: Promise<void> = Promise.resolve();

  const listener = createServer({ allowHalfOpen: true }, (client) => {
    const server = connect({ ...target, allowHalfOpen: true });
    const pair: Pair = { client, server, broken: false, held: null };
    pairs.add(pair);
    pass(pair, client, server, 'request');
    pass(pair, server, client, 'reply');
    if (struck) strike(pair);
  });

  function pass(pair: Pair, from: Socket, to: Socket, direction: Direction): void {
    from.setNoDelay(true);
    from.on('error', () => undefined);
    from.on('data', (chunk: Buffer) => after(() => forward(pair, to, direction, chunk)));
    from.on('end', () => after(() => void (pair.broken || (direction === 'request' && pair.held) || to.end())));
    from.on('close', () => {
      if (pair.client.destroyed && pair.server.destroyed) pairs.delete(pair);
      // A client that went away while its words are held still says them.
      if (!pair.broken && !(direction === 'request' && pair.held)) after(() => to.destroySoon());
    });
  }

  function after(act: () => void): void {
    if (delayMs > 0) setTimeout(act, delayMs);
    else act();
  }

  function forward(pair: Pair, to: Socket, direction: Direction, chunk: Buffer): void {
    const before = counts[direction];
    counts[direction] += chunk.length;
    record(direction, before, counts[direction]);
    if (pair.held && direction === 'request') return void pair.held.push(chunk);
    if (pair.broken) return;
    if (!fault || struck || fault.direction !== direction || counts[direction] <= fault.after) return void to.write(chunk);
    struck = true;
    const kept = chunk.subarray(0, Math.max(0, fault.after - before));
    if (kept.length > 0) to.write(kept);
    if (fault.how === 'hold') {
      pairs.forEach(strike);
      pair.held?.push(chunk.subarray(kept.length));
      return;
    }
    pair.broken = true;
    // What came before the break is on its way; a reset would take it along.
    to.write('', () => pairs.forEach(strike));
  }

  function record(direction: Direction, from: number, to: number): void {
    const last = turns.at(-1);
    if (last?.direction === direction) last.to = to;
    else turns.push({ direction, from, to });
  }

  function strike(pair: Pair): void {
    switch (fault?.how) {
      case 'hold':
        pair.held ??= [];
        break;
      case 'reset':
        pair.broken = true;
        pair.client.resetAndDestroy();
        pair.server.resetAndDestroy();
        break;
      case 'close':
        pair.broken = true;
        pair.client.end();
        pair.server.end();
        break;
      case 'half-open':
        pair.broken = true;
        pair.server.destroy();
        break;
      case 'hole':
        pair.broken = true;
        break;
      case undefined:
        break;
    }
  }

  async function release({ client, server, held }: Pair): Promise<void> {
    for (const chunk of held ?? []) server.write(chunk);
    const gone = client.destroyed || client.readableEnded;
    if (gone) server.end();
    await new Promise<void>((resolve) => server.write('', () => resolve()));
    // The server has read it all when it answers the end.
    if (gone && !server.destroyed) await once(server, 'close', { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
  }

  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    host: '127.0.0.1',
    port: (listener.address() as AddressInfo).port,
    watch(given) {
      counts.request = 0;
      counts.reply = 0;
      turns = [];
      struck = false;
      fault = given;
    },
    slowDown: (ms) => void (delayMs = ms),
    get struck() {
      return struck;
    },
    turns: () => turns.map((turn) => ({ ...turn })),
    heal() {
      fault = undefined;
      struck = false;
      const holding = [...pairs].filter(({ held }) => held);
      released = Promise.all(
        holding.map((pair) => {
          const done = release(pair);
          pair.held = null;
          return done;
        }),
      ).then(() => undefined);
      for (const { client, server, broken } of pairs) {
        if (!broken) continue;
        client.destroy();
        server.destroy();
      }
    },
    get released() {
      return released;
    },
    async stop() {
      const closed = once(listener, 'close');
      listener.close();
      for (const { client, server } of pairs) {
        client.destroy();
        server.destroy();
      }
      await closed;
    },
  };
}
