import type { Socket } from 'node:net';
import { connectionLost, ConnectionLost, ServerRefusal } from './zookeeper-error.ts';
import { decodeEventPath, OP } from './operations.ts';
import { bytes, createReader, flag, int, long, text, type Reader } from './wire.ts';

export interface SessionSettings {
  readonly sessionTimeout: number;
  /** For the connection, its session and its authentication. */
  readonly connectTimeout: number;
  /** Without any reply to what was asked. */
  readonly requestTimeout: number;
  /** `user:password` of the digest scheme. */
  readonly digest: string | null;
}

/** One connection with a session of its own. When the connection goes, so does the session: nothing in ZooKeeper depends on it. */
export interface Session {
  isOpen(): boolean;
  /** Resolves when it is over, for whatever reason. */
  readonly ended: Promise<ConnectionLost>;
  /** Replies come in the order of the requests. Throws ServerRefusal or ConnectionLost. */
  request<Reply>(op: number, body: Buffer, decode: Decode<Reply>): Promise<Reply>;
  /** Ends the session at the server, if it answers in a moment, and the connection in any case. */
  close(): Promise<void>;
}

/** `zxid` is the last transaction that the server had carried out: of a write, its own. */
export type Decode<Reply> = (reader: Reader, zxid: bigint) => Reply;

interface Pending {
  readonly xid: number;
  readonly sentAt: number;
  readonly decode: Decode<unknown>;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
}

const XID = { event: -1, ping: -2, auth: -4 } as const;
const MAX_XID = 0x7fff_ffff;
const MAX_FRAME_BYTES = 64 * 1024 * 1024;
const CLOSE_WITHIN_MS = 500;

/** `dial` begins a connection; what is written to it before it stands is kept. Throws ConnectionLost or ServerRefusal. */
export async function openSession(
  dial: () => Socket,
  settings: SessionSettings,
  signal: AbortSignal,
  onEvent: (path: string) => void = () => undefined,
): Promise<Session> {
  signal.throwIfAborted();
  const socket = dial();
  const pending: Pending[] = [];
  const opened = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<ConnectionLost>();
  let timeout = settings.sessionTimeout;
  let received: Buffer = Buffer.alloc(0);
  let step: 'connecting' | 'authenticating' | 'open' = 'connecting';
  let lost: ConnectionLost | undefined;
  let lastXid = 0;
  let heardAt = Date.now();
  // Pings are answered even while a request is stuck.
  let answeredAt = heardAt;
  let saidAt = heardAt;
  let watch: NodeJS.Timeout | undefined;

  const connectTimer = setTimeout(() => lose(new ConnectionLost('no answer in time to the connection')), settings.connectTimeout);
  const onAbort = (): void => lose(new ConnectionLost('the call was cancelled, or ran out of time'));
  signal.addEventListener('abort', onAbort, { once: true });

  function lose(reason: ConnectionLost | ServerRefusal): void {
    lost ??= reason instanceof ConnectionLost ? reason : new ConnectionLost('the server ended the session');
    clearInterval(watch);
    socket.destroy();
    opened.reject(reason);
    ended.resolve(lost);
    for (const each of pending.splice(0)) each.reject(lost);
  }

  function send(message: Buffer): void {
    saidAt = Date.now();
    socket.write(bytes(message));
  }

  function onFrame(frame: Buffer): void {
    const reader = createReader(frame);
    if (step === 'connecting') {
      reader.int();
      timeout = reader.int();
      if (timeout <= 0) return lose(new ConnectionLost('the server gave no session'));
      if (settings.digest === null) return begin();
      step = 'authenticating';
      return send(Buffer.concat([int(XID.auth), int(OP.auth), int(0), text('digest'), text(settings.digest)]));
    }
    const xid = reader.int();
    const zxid = reader.long();
    const code = reader.int();
    if (xid === XID.auth) return code === 0 ? begin() : lose(new ServerRefusal(code));
    if (xid === XID.event) return onEvent(decodeEventPath(reader));
    // Pings are answered out of turn.
    if (xid < 0) return;
    answeredAt = heardAt;
    const next = pending.shift();
    if (next?.xid !== xid) return lose(new ConnectionLost('the server answered out of turn'));
    if (code !== 0) return next.reject(new ServerRefusal(code));
    try {
      next.resolve(next.decode(reader, zxid));
    } catch (error) {
      next.reject(new ConnectionLost('the server does not speak the protocol of ZooKeeper'));
      throw error;
    }
  }

  function begin(): void {
    step = 'open';
    clearTimeout(connectTimer);
    watch = setInterval(keepAlive, Math.max(10, Math.min(timeout / 3, settings.requestTimeout / 4)));
    watch.unref();
    opened.resolve();
  }

  function keepAlive(): void {
    const now = Date.now();
    const [oldest] = pending;
    if (oldest && now - Math.max(oldest.sentAt, answeredAt) >= settings.requestTimeout) return lose(new ConnectionLost('no answer in time'));
    if (!oldest && now - heardAt >= timeout) return lose(new ConnectionLost('the session has expired'));
    if (now - saidAt >= timeout / 3) send(Buffer.concat([int(XID.ping), int(OP.ping)]));
  }

  socket.on('data', (chunk: Buffer) => {
    heardAt = Date.now();
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    try {
      for (;;) {
        if (lost || received.length < 4) return;
        const length = received.readInt32BE(0);
        if (length < 0 || length > MAX_FRAME_BYTES) throw new RangeError('a frame of a size that none has');
        if (received.length < 4 + length) return;
        const frame = received.subarray(4, 4 + length);
        received = received.subarray(4 + length);
        onFrame(frame);
      }
    } catch {
      lose(new ConnectionLost('the server does not speak the protocol of ZooKeeper'));
    }
  });
  socket.on('error', (error: NodeJS.ErrnoException) => lose(connectionLost(error)));
  socket.on('close', () => lose(new ConnectionLost('the server closed the connection')));
  socket.setNoDelay(true);
  // Protocol version, last transaction seen, session timeout, no former session, no read-only server.
  send(Buffer.concat([int(0), long(0n), int(settings.sessionTimeout), long(0n), bytes(Buffer.alloc(16)), flag('no')]));

  const request: Session['request'] = (op, body, decode) => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (lost) return Promise.reject(lost);
    lastXid = lastXid === MAX_XID ? 1 : lastXid + 1;
    pending.push({ xid: lastXid, sentAt: Date.now(), decode, resolve, reject });
    send(Buffer.concat([int(lastXid), int(op), body]));
    return promise as Promise<ReturnType<typeof decode>>;
  };

  try {
    await opened.promise;
  } finally {
    clearTimeout(connectTimer);
    signal.removeEventListener('abort', onAbort);
  }
  return {
    isOpen: () => lost === undefined,
    ended: ended.promise,
    request,
    close: async () => {
      if (lost) return;
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, CLOSE_WITHIN_MS);
      await Promise.race([request(OP.close, Buffer.alloc(0), () => undefined).catch(() => undefined), late]);
      clearTimeout(timer);
      lose(new ConnectionLost('the sink was closed'));
    },
  };
}
