import { abortable } from '../abortable.ts';
import { SinkError } from '../errors.ts';
import type { AclEntry } from './acl.ts';
import type { OpenSession } from './ensemble.ts';
import { decodeAcl, decodeStat, decodeSteps, encodePath, encodeSteps, encodeUnwatched, OP, type Stat, type Step, type StepsOutcome } from './operations.ts';
import type { Session } from './session.ts';
import { CODE, ConnectionLost, ServerRefusal, zooKeeperError } from './zookeeper-error.ts';
import type { Reader } from './wire.ts';

export interface Znode {
  readonly data: Buffer;
  readonly stat: Stat;
  /** Only if it was asked for. */
  readonly acl: readonly AclEntry[];
}

export interface ZnodeRequest {
  readonly path: string;
  readonly parts: 'data' | 'data and acl';
}

/** The few calls that the sink makes. `label` begins the messages of their errors, which are SinkErrors. Paths are absolute, chroot included. */
export interface ZooKeeper {
  /** What the ensemble has agreed on when the call begins, in the order asked; null where there is no znode. */
  read(label: string, asked: readonly ZnodeRequest[], signal: AbortSignal): Promise<readonly (Znode | null)[]>;
  /** As `read`, without data. */
  stat(label: string, paths: readonly string[], signal: AbortSignal): Promise<readonly (Stat | null)[]>;
  /** All steps or none, in this order. */
  transact(label: string, steps: readonly Step[], signal: AbortSignal): Promise<StepsOutcome>;
  close(): Promise<void>;
}

/** So many requests wait for their replies at the same time. */
const BATCH = 500;
const MAX_ROUNDS = 5;

/** Connects when it is first needed, and again after a connection or its session was lost. */
export function createClient(open: OpenSession): ZooKeeper {
  const closing = new AbortController();
  let session: Session | undefined;
  let opening: Promise<Session> | undefined;

  async function connected(): Promise<Session> {
    if (session?.isOpen() === true) return session;
    opening ??= open(closing.signal).finally(() => {
      opening = undefined;
    });
    session = await opening;
    return session;
  }

  async function call<Reply>(label: string, signal: AbortSignal, work: (session: Session) => Promise<Reply>): Promise<Reply> {
    const stop = AbortSignal.any([signal, closing.signal]);
    const refuse = (): ConnectionLost => new ConnectionLost(closing.signal.aborted ? 'the sink was closed' : 'the call was cancelled, or ran out of time');
    try {
      return await abortable(stop, refuse, () => connected().then(work));
    } catch (error) {
      throw zooKeeperError(label, error);
    }
  }

  return {
    read: (label, asked, signal) =>
      inBatches(asked, (batch) =>
        call(label, signal, async (at) => {
          await refresh(at, batch[0]?.path);
          return Promise.all(batch.map((each) => readOne(at, each)));
        }),
      ),
    stat: (label, paths, signal) =>
      inBatches(paths, (batch) =>
        call(label, signal, async (at) => {
          await refresh(at, batch[0]);
          return Promise.all(batch.map((path) => nullIfAbsent(at.request(OP.exists, encodeUnwatched(path), decodeStat))));
        }),
      ),
    transact: (label, steps, signal) => call(label, signal, (at) => at.request(OP.multi, encodeSteps(steps), decodeSteps)),
    close: async () => {
      closing.abort();
      await opening?.catch(() => undefined);
      await session?.close();
    },
  };
}

/** Lets the server that we are connected to catch up with its leader before it answers what comes after; nothing has to wait for its reply. */
async function refresh(session: Session, path = '/'): Promise<void> {
  void session.request(OP.sync, encodePath(path), () => undefined).catch(() => undefined);
}

async function readOne(session: Session, { path, parts }: ZnodeRequest): Promise<Znode | null> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const content = nullIfAbsent(session.request(OP.getData, encodeUnwatched(path), (reader) => ({ data: reader.bytes(), stat: decodeStat(reader) })));
    if (parts === 'data') return content.then((found) => found && { ...found, acl: [] });
    const guard = nullIfAbsent(session.request(OP.getAcl, encodePath(path), (reader: Reader) => ({ acl: decodeAcl(reader), stat: decodeStat(reader) })));
    const [found, guarded] = await Promise.all([content, guard]);
    if (found === null) return null;
    // Both have to be of one znode: it may have been deleted and made again between the two requests.
    if (guarded?.stat.czxid === found.stat.czxid) return { ...found, acl: guarded.acl };
  }
  throw new SinkError('unavailable', `a znode was made again during each of ${MAX_ROUNDS} reads`);
}

function nullIfAbsent<Reply>(reply: Promise<Reply>): Promise<Reply | null> {
  return reply.catch((error: unknown) => {
    if (error instanceof ServerRefusal && error.code === CODE.noNode) return null;
    throw error;
  });
}

async function inBatches<Asked, Reply>(asked: readonly Asked[], run: (batch: readonly Asked[]) => Promise<readonly Reply[]>): Promise<readonly Reply[]> {
  const replies: Reply[] = [];
  for (let start = 0; start < asked.length; start += BATCH) replies.push(...(await run(asked.slice(start, start + BATCH))));
  return replies;
}
