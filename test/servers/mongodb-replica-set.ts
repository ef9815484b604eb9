import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { BSON, type Document } from 'mongodb';
import { commandOf, messagesOf, OP_MSG, WRITES } from './ferretdb-proxy.ts';
import { startScram, type ScramExchange, type ScramMechanism } from './scram.ts';

/** Two members in front of one FerretDB, which has neither sets nor users. What they know of both is what drivers ask for. */
export interface ReplicaSet {
  readonly primary: string;
  readonly secondary: string;
  /** All commands that went to FerretDB, and to which member. */
  readonly commands: readonly { readonly member: string; readonly command: Document }[];
  /** How clients have logged in. */
  readonly logins: readonly ScramMechanism[];
  setPassword(password: string): void;
  /** The other member is the primary from now on. */
  elect(): void;
  /** The next write is carried out, and answered as one that too few members have. */
  lagBehind(): void;
  stop(): Promise<void>;
}

export interface ReplicaSetSettings {
  readonly name: string;
  readonly user: string;
  readonly password: string;
  readonly mechanisms: readonly ScramMechanism[];
}

const OP_REPLY = 1;
/** Before the document of an OP_QUERY: header, flags, name of the collection `admin.$cmd`, two numbers. */
const QUERY_BODY = 16 + 4 + 'admin.$cmd\0'.length + 8;
const MESSAGE_BODY = 16 + 4 + 1;

export async function startReplicaSet(target: number, { name, user, password: given, mechanisms }: ReplicaSetSettings): Promise<ReplicaSet> {
  const sockets = new Set<Socket>();
  const commands: { member: string; command: Document }[] = [];
  const logins: ScramMechanism[] = [];
  const members: string[] = [];
  let [password, leader, lags] = [given, 0, false];

  function hello(me: number): Document {
    const isPrimary = me === leader;
    return {
      helloOk: true,
      ismaster: isPrimary,
      isWritablePrimary: isPrimary,
      secondary: !isPrimary,
      setName: name,
      setVersion: 1,
      hosts: members,
      primary: members[leader],
      me: members[me],
      saslSupportedMechs: mechanisms,
      minWireVersion: 0,
      maxWireVersion: 21,
      maxBsonObjectSize: 16 * 1024 * 1024,
      maxMessageSizeBytes: 48_000_000,
      maxWriteBatchSize: 100_000,
      ok: 1,
    };
  }

  async function serve(client: Socket, me: number): Promise<void> {
    const upstream = connect({ host: '127.0.0.1', port: target });
    sockets.add(upstream);
    upstream.on('error', () => client.destroy());
    const replies = messagesOf(upstream);
    let [exchange, isKnown]: [ScramExchange | undefined, boolean] = [undefined, false];

    function login(body: Document): Document {
      const text = Buffer.from(body['payload'].buffer).toString();
      if (body['saslStart'] === 1) {
        const mechanism = body['mechanism'] as ScramMechanism;
        if (!mechanisms.includes(mechanism)) return failed(334, 'MechanismUnavailable');
        logins.push(mechanism);
        exchange = startScram(mechanism, user, password);
        return { conversationId: 1, done: false, payload: new BSON.Binary(Buffer.from(exchange.first(text))), ok: 1 };
      }
      const proof = exchange?.final(text) ?? null;
      isKnown = proof !== null;
      return proof === null ? failed(18, 'AuthenticationFailed') : { conversationId: 1, done: true, payload: new BSON.Binary(Buffer.from(proof)), ok: 1 };
    }

    async function answer(message: Buffer): Promise<Buffer> {
      const isOld = message.readInt32LE(12) !== OP_MSG;
      const command = isOld ? 'hello' : commandOf(message);
      const reply = (document: Document): Buffer => (isOld ? oldReply : newReply)(message.readInt32LE(4), document);
      if (['hello', 'ismaster', 'isMaster'].includes(command)) return reply(hello(me));
      if (command === 'ping' || command === 'endSessions') return reply({ ok: 1 });
      const body = BSON.deserialize(message.subarray(isOld ? QUERY_BODY : MESSAGE_BODY));
      if (command.startsWith('sasl')) return reply(login(body));
      if (!isKnown) return reply(failed(13, 'Unauthorized'));
      if (me !== leader) return reply(failed(10107, 'NotWritablePrimary'));
      commands.push({ member: members[me] ?? '', command: body });
      upstream.write(message);
      const { value, done } = await replies.next();
      if (done) throw new Error('the server is gone');
      if (!WRITES.has(command) || !lags) return value;
      lags = false;
      return reply({ ...BSON.deserialize(value.subarray(MESSAGE_BODY)), writeConcernError: { code: 64, codeName: 'WriteConcernFailed', errmsg: 'too few' } });
    }

    try {
      for await (const message of messagesOf(client)) client.write(await answer(message));
    } finally {
      client.destroy();
      upstream.destroy();
      sockets.delete(upstream);
    }
  }

  const servers = await Promise.all(
    [0, 1].map(async (me) => {
      const server = createServer((client) => {
        sockets.add(client);
        client.on('error', () => undefined).once('close', () => sockets.delete(client));
        serve(client, me).catch(() => undefined);
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      members[me] = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      return server;
    }),
  );
  const [primary = '', secondary = ''] = members;
  return {
    primary,
    secondary,
    commands,
    logins,
    setPassword: (next) => void (password = next),
    elect: () => void (leader = 1 - leader),
    lagBehind: () => void (lags = true),
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    },
  };
}

function failed(code: number, codeName: string): Document {
  return { ok: 0, errmsg: codeName, code, codeName };
}

function newReply(to: number, document: Document): Buffer {
  return framed(to, OP_MSG, Buffer.concat([Buffer.alloc(5), BSON.serialize(document)]));
}

/** Flags, cursor, position, number of documents. */
function oldReply(to: number, document: Document): Buffer {
  const head = Buffer.alloc(20);
  head.writeInt32LE(1, 16);
  return framed(to, OP_REPLY, Buffer.concat([head, BSON.serialize(document)]));
}

function framed(to: number, opcode: number, body: Buffer): Buffer {
  const head = Buffer.alloc(16);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(to, 8);
  head.writeInt32LE(opcode, 12);
  return Buffer.concat([head, body]);
}
