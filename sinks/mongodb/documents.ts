import type * as Driver from 'mongodb';
import type { Document, MongoClient, MongoClientOptions } from 'mongodb';
import { abortable } from '../abortable.ts';
import { SinkError } from '../errors.ts';
import { decodeTree, UnknownBson, type Bson, type Tree, type TreeMap } from './bson-tree.ts';
import { commandError, isLoginRefused, isSpent, mongodbError } from './mongodb-error.ts';
import { systemOf, type MongodbOptions } from './options.ts';
import type { Namespace } from './place-names.ts';

export interface Update {
  readonly filter: TreeMap;
  readonly document: TreeMap;
}

/** The few commands that the sink sends. They throw SinkError, and none is ever sent twice. */
export interface Documents {
  /** Statements of one command. */
  readonly batch: number;
  /** By `_id`; those that are not there are missing. */
  find(at: Namespace, ids: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, TreeMap>>;
  /** Throws `conflict` if one of them is there already; others may then be done. */
  insert(at: Namespace, documents: readonly TreeMap[], signal: AbortSignal): Promise<void>;
  /** `document` replaces, or holds operators. Throws `conflict` if one of the filters finds nothing; others may then be done. */
  update(at: Namespace, updates: readonly Update[], signal: AbortSignal): Promise<void>;
  /** Deletes what each filter finds. Throws `conflict` if one finds nothing; others may then be done. */
  remove(at: Namespace, filters: readonly TreeMap[], signal: AbortSignal): Promise<void>;
  /** Replaces, and gives what was replaced as BSON, names that are numbers first; null if the filter finds nothing. */
  replace(at: Namespace, update: Update, signal: AbortSignal): Promise<Buffer | null>;
  close(): Promise<void>;
}

/** Types of a reply stay what they are. */
const EXACT = { promoteValues: false, promoteLongs: false, promoteBuffers: false, bsonRegExp: true } as const;
/** Statements of one command; a message takes three times that. */
const MAX_COMMAND_BYTES = 15 * 1024 * 1024;

/** The driver's client, made when it is first needed. */
export function createDocuments(driver: typeof Driver, options: MongodbOptions, configure: () => Promise<MongoClientOptions>): Documents {
  const { BSON: bson } = driver;
  const closing = new AbortController();
  const system = systemOf(options);
  const limits = { maxTimeMS: options.requestTimeout };
  const writing = { ordered: true, writeConcern: { w: options.writeConcern, wtimeout: options.requestTimeout }, ...limits };
  let opened: Promise<MongoClient> | undefined;

  async function open(): Promise<MongoClient> {
    return new driver.MongoClient(options.url, await configure());
  }

  async function run<Reply>(at: Namespace, signal: AbortSignal, call: (db: Driver.Db, signal: AbortSignal) => Promise<Reply>): Promise<Reply> {
    const label = `mongodb ${system} ${at.database}/${at.collection}`;
    const refuse = (): SinkError =>
      new SinkError('unavailable', `${label}: ${closing.signal.aborted ? 'the sink was closed' : 'the call was cancelled, or ran out of time'}`);
    const timeout = AbortSignal.timeout(options.serverSelectionTimeout + options.connectTimeout + options.requestTimeout * 2);
    const stop = AbortSignal.any([signal, closing.signal, timeout]);
    if (stop.aborted) throw refuse();
    const client = (opened ??= open());
    try {
      return await abortable(stop, refuse, () => client.then((each) => call(each.db(at.database), stop)));
    } catch (error) {
      const failure = mongodbError(label, error);
      // Credentials are read anew for the next call: these were rotated, or could not be read.
      if (isLoginRefused(error) || isSpent(error) || !(await isOpen(client))) forget(client);
      throw failure;
    }
  }

  function forget(client: Promise<MongoClient>): void {
    if (opened !== client) return;
    opened = undefined;
    void client.then((each) => each.close()).catch(() => undefined);
  }

  /** The number of documents that a write command found. Some failures stand in a reply that is `ok`. */
  async function write(at: Namespace, command: Document, signal: AbortSignal): Promise<number> {
    return run(at, signal, async (db, stop) => {
      const reply = (await db.command(command, { signal: stop })) as WriteReply;
      const failed = reply.writeErrors?.[0] ?? reply.writeConcernError;
      if (failed) throw commandError(`mongodb ${system} ${at.database}/${at.collection}`, failed.code, failed.codeName ?? '');
      return reply.n;
    });
  }

  async function writeAll(at: Namespace, verb: 'update' | 'delete', statements: readonly TreeMap[], signal: AbortSignal): Promise<void> {
    for (const some of batchesOf(statements, options.batch, bson)) {
      const found = await write(at, { [verb]: at.collection, [`${verb}s`]: some, ...writing }, signal);
      if (found !== some.length)
        throw new SinkError('conflict', `mongodb ${system} ${at.database}/${at.collection}: ${some.length - found} documents changed since they were read`);
    }
  }

  return {
    batch: options.batch,
    find: async (at, ids, signal) => {
      const found = new Map<string, TreeMap>();
      for (let start = 0; start < ids.length; start += MAX_IDS) {
        const some = ids.slice(start, start + MAX_IDS);
        const filter = { _id: some.length === 1 ? some[0] : { $in: some } } as unknown as Document;
        const documents = await run(at, signal, (db, stop) =>
          db
            .collection(at.collection)
            .find(filter, { raw: true, readConcern: { level: options.readConcern }, ...limits, signal: stop })
            .toArray(),
        );
        for (const bytes of documents as unknown as readonly Buffer[]) {
          const tree = decode(at, Buffer.from(bytes), bson);
          found.set(tree.get('_id') as string, tree);
        }
      }
      return found;
    },
    insert: async (at, documents, signal) => {
      for (const some of batchesOf(documents, options.batch, bson)) await write(at, { insert: at.collection, documents: some, ...writing }, signal);
    },
    update: (at, updates, signal) => writeAll(at, 'update', updates.map(statementOf), signal),
    remove: (at, filters, signal) =>
      writeAll(
        at,
        'delete',
        filters.map((filter) => statement({ q: filter, limit: 1n })),
        signal,
      ),
    replace: (at, { filter, document }, signal) =>
      run(at, signal, async (db, stop) => {
        const { ordered: _, ...concern } = writing;
        const command = { findAndModify: at.collection, query: filter, update: document, new: false, ...concern };
        const reply = (await db.command(command, { signal: stop, ...EXACT })) as {
          readonly value?: Document | null;
          readonly writeConcernError?: Document;
        };
        // The number is of an exact type as well.
        if (reply.writeConcernError) throw commandError(`mongodb ${system} ${at.database}/${at.collection}`, Number(reply.writeConcernError['code']), '');
        return reply.value ? Buffer.from(bson.serialize(reply.value)) : null;
      }),
    close: async () => {
      closing.abort();
      const client = await opened?.catch(() => undefined);
      await client?.close();
    },
  };
}

/** Of one `$in`. */
const MAX_IDS = 1_000;

interface WriteFailure {
  readonly code: number;
  readonly codeName?: string;
}

interface WriteReply {
  readonly n: number;
  readonly writeErrors?: readonly WriteFailure[];
  readonly writeConcernError?: WriteFailure;
}

function statementOf({ filter, document }: Update): TreeMap {
  return statement({ q: filter, u: document });
}

function statement(parts: Readonly<Record<string, Tree>>): TreeMap {
  return new Map(Object.entries(parts));
}

/** In the order given, as many as one command takes. */
function* batchesOf(statements: readonly TreeMap[], count: number, bson: Bson): Generator<readonly TreeMap[]> {
  let some: TreeMap[] = [];
  let bytes = 0;
  for (const each of statements) {
    const size = bson.calculateObjectSize(each);
    if (some.length > 0 && (some.length === count || bytes + size > MAX_COMMAND_BYTES)) {
      yield some;
      [some, bytes] = [[], 0];
    }
    some.push(each);
    bytes += size;
  }
  if (some.length > 0) yield some;
}

function decode(at: Namespace, bytes: Buffer, bson: Bson): TreeMap {
  try {
    return decodeTree(bytes, bson);
  } catch (error) {
    if (!(error instanceof UnknownBson)) throw error;
    throw new SinkError('rejected', `mongodb ${at.database}/${at.collection}: a document ${error.message}, and could not be put back; remove it`);
  }
}

async function isOpen(client: Promise<MongoClient>): Promise<boolean> {
  return client.then(
    () => true,
    () => false,
  );
}
