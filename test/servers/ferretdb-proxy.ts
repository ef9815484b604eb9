import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { BSON } from 'mongodb';

/** What a server without rights for a command says. */
export interface Refusal {
  readonly code: number;
  readonly codeName: string;
}

export interface FerretProxy {
  readonly port: number;
  /** How many commands went through that may write. */
  writes(): number;
  stop(): Promise<void>;
}

export const WRITES: ReadonlySet<string> = new Set(['insert', 'update', 'delete', 'findAndModify']);

/** Writes take turns over all connections of one server. */
export type Turns = <Reply>(work: () => Promise<Reply>) => Promise<Reply>;

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
}

/**
 * Stands in front of FerretDB and passes one write at a time: its update and findAndModify read first and write then, so that two with one
 * filter both find what they look for. MongoDB does not. It also says no as a server with users would, which FerretDB has none of.
 */
export async function startFerretProxy(target: number, turns: Turns, refuse: (command: string) => Refusal | undefined = () => undefined): Promise<FerretProxy> {
  const sockets = new Set<Socket>();
  let writes = 0;

  async function serve(client: Socket): Promise<void> {
    const upstream = connect({ host: '127.0.0.1', port: target });
    sockets.add(upstream);
    upstream.on('error', () => client.destroy());
    const replies = messagesOf(upstream);
    const pass = async (message: Buffer): Promise<Buffer> => {
      upstream.write(message);
      const reply = await replies.next();
      if (reply.done) throw new Error('the server is gone');
      return reply.value;
    };
    try {
      for await (const message of messagesOf(client)) {
        const command = commandOf(message);
        const refusal = refuse(command);
        if (refusal) client.write(refusalOf(message, refusal));
        else if (WRITES.has(command)) {
          writes++;
          client.write(await turns(() => pass(message)));
        } else client.write(await pass(message));
      }
    } finally {
      client.destroy();
      upstream.destroy();
      sockets.delete(upstream);
    }
  }

  const server = createServer((client) => {
    sockets.add(client);
    client.on('error', () => undefined);
    client.once('close', () => sockets.delete(client));
    serve(client).catch(() => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    writes: () => writes,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Each begins with its length. */
export async function* messagesOf(socket: Socket): AsyncGenerator<Buffer> {
  let chunks: Buffer[] = [];
  let size = 0;
  let needed = 4;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    while (size >= needed) {
      const bytes = Buffer.concat(chunks);
      const length = bytes.readInt32LE();
      if (size >= length) {
        yield bytes.subarray(0, length);
        chunks = [bytes.subarray(length)];
        size -= length;
        needed = 4;
      } else {
        chunks = [bytes];
        needed = length;
      }
    }
  }
}

export const OP_MSG = 2013;

/** The first name in the body of an OP_MSG; empty for a greeting of the old kind. */
export function commandOf(message: Buffer): string {
  if (message.readInt32LE(12) !== OP_MSG) return '';
  // Header, flags, kind of the section, length of the document, type of the first field.
  const start = 16 + 4 + 1 + 4 + 1;
  return message.toString('utf8', start, message.indexOf(0, start));
}

function refusalOf(request: Buffer, { code, codeName }: Refusal): Buffer {
  const body = BSON.serialize({ ok: 0, errmsg: 'not allowed', code, codeName });
  const head = Buffer.alloc(21);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(request.readInt32LE(4), 8);
  head.writeInt32LE(OP_MSG, 12);
  return Buffer.concat([head, body]);
}
