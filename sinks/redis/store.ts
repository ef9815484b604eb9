import { createHash } from 'node:crypto';
import { decideRestore, decodeLedger, encodeLedger, restoredLedger, type Ledger } from '../../domain/ledger.ts';
import { removesPlace, type DesiredEntry, type LiveState, type WritePlan } from '../../domain/plan.ts';
import { InvalidInput } from '../../domain/problem.ts';
import { SinkError } from '../errors.ts';
import type { Place, Receipt, Sink, SinkContext } from '../sink.ts';
import { commitScript } from './commit.lua.ts';
import type { Argument, Connection } from './connection.ts';
import { jsonText, readJsonDocument, writeJsonDocument } from './json-document.ts';
import { placeKeys } from './place-keys.ts';
import { redisError } from './redis-error.ts';

/** A value that a write expects, and what becomes of it; see {@link commitScript}. */
interface Change {
  /** Sink key; empty for the one value of a document. */
  readonly field: string;
  /** `-` absent, `?` there, `*` anything, else the digest of the text. */
  readonly expected: string;
  readonly action: 'check' | 'put' | 'delete';
  readonly text?: Argument;
  readonly expiry?: Argument;
}

interface Look {
  readonly ledger: Ledger | null;
  readonly ledgerDigest: string;
  readonly exists: boolean;
  /** In the order of the fields; null is absent. */
  readonly values: readonly (Buffer | null)[];
}

/** Reads are one transaction, writes one script, of the keys of one place each. */
export function createStore(name: string, connection: Connection): Sink {
  const label = (place: Place): string => `${name} ${place.layout} ${place.name}`;

  /** The ledger and some values at one moment. */
  async function look(place: Place, fields: readonly string[], signal: AbortSignal): Promise<Look> {
    const ledgerKey = placeKeys(place.name).ledger;
    const replies = await connection.transaction(label(place), [['GET', ledgerKey], ...valueCommands(place, fields)], signal);
    const [ledgerBytes, found, values] = replies as [Buffer | null, Buffer | number | undefined, (Buffer | null)[] | Buffer | null | undefined];
    const given = Array.isArray(values) ? values : [values ?? null];
    const exists = existence(place, found, given);
    const failed = [ledgerBytes, values].find((reply) => reply instanceof Error);
    if (failed) throw redisError(label(place), failed);
    return { ledger: ledgerOf(place, ledgerBytes), ledgerDigest: digest(ledgerBytes), exists, values: fields.length === 0 ? [] : given };
  }

  function existence(place: Place, found: Buffer | number | undefined, values: readonly (Buffer | null)[]): boolean {
    if (place.layout === 'keys') {
      // MGET says nil for a key of another type, and nil would be taken for absent.
      if (typeof found === 'number' && found !== values.filter((value) => value !== null).length)
        throw new SinkError('rejected', `${label(place)}: a key holds another type than a string; remove it, or choose another prefix`);
      return typeof found === 'number' && found > 0;
    }
    const type = String(found);
    const expected = place.layout === 'hash' ? 'hash' : 'string';
    if (type !== 'none' && type !== expected)
      throw new SinkError('rejected', `${label(place)}: the key holds a ${type}, not a ${expected}; remove it, or choose another place`);
    return type !== 'none';
  }

  function ledgerOf(place: Place, bytes: Buffer | null): Ledger | null {
    if (bytes === null) return null;
    try {
      return decodeLedger(bytes.toString());
    } catch {
      const key = placeKeys(place.name).ledger;
      throw new SinkError('rejected', `${label(place)}: the ledger at ${key} is damaged; put it back, or delete it to have equal values adopted`);
    }
  }

  async function read(place: Place, { signal, keys }: SinkContext): Promise<LiveState> {
    if (place.layout === 'json') return readDocument(place, signal);
    const asked = new Set(keys);
    // Which keys are owned is known once the ledger was read; mostly these are the ones that were asked for.
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const fields = [...asked];
      const { ledger, ledgerDigest, exists, values } = await look(place, fields, signal);
      const owned = Object.keys(ledger?.keys ?? {});
      if (owned.every((key) => asked.has(key))) {
        const there = fields.flatMap((field, index) => (values[index] ? [[field, textOf(values[index])] as const] : []));
        return { exists, entries: new Map(there), ledger, version: ledgerDigest };
      }
      for (const key of owned) asked.add(key);
    }
    throw new SinkError('unavailable', `${label(place)}: the ledger changed during each of ${MAX_ROUNDS} reads`);
  }

  async function readDocument(place: Place, signal: AbortSignal): Promise<LiveState> {
    const { ledger, ledgerDigest, exists, values } = await look(place, [''], signal);
    const [document = null] = values;
    const base = { exists, ledger, version: `${ledgerDigest} ${digest(document)}` };
    const content = document === null ? { leaves: new Map<string, DesiredEntry>() } : readJsonDocument(document);
    if ('corrupt' in content) return { ...base, entries: new Map(), corrupt: content.corrupt };
    return { ...base, entries: new Map([...content.leaves].map(([key, leaf]) => [key, jsonText(leaf.value)])) };
  }

  async function apply(place: Place, plan: WritePlan, { signal }: SinkContext): Promise<Receipt> {
    const [ledgerDigest = '-', documentDigest = '-'] = plan.base.version.split(' ');
    const changes = place.layout === 'json' ? [await documentChange(place, plan, documentDigest, signal)] : entryChanges(plan);
    await commit(place, ledgerDigest, plan.content === 'remove' ? null : plan.ledger, changes, plan.content === 'remove' ? 'final' : 'undoable', signal);
    return { generation: plan.ledger.generation, writes: plan.puts.length + plan.deletes.length };
  }

  async function documentChange(place: Place, plan: WritePlan, expected: string, signal: AbortSignal): Promise<Change> {
    const change = { field: '', expected } as const;
    if (removesPlace(plan)) return { ...change, action: 'delete' };
    if (plan.content !== 'write') return { ...change, action: 'check' };
    const kept = plan.kept.length === 0 ? [] : await keptLeaves(place, plan, signal);
    try {
      return { ...change, action: 'put', text: writeJsonDocument([...plan.entries, ...kept]) };
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      throw new SinkError('rejected', `${label(place)}: what is kept does not fit beside what is wanted: ${error.message}`);
    }
  }

  /** The leaves of the live document that stay. If it is no longer the one that was planned on, the script refuses the write. */
  async function keptLeaves(place: Place, plan: WritePlan, signal: AbortSignal): Promise<readonly DesiredEntry[]> {
    const [document] = (await look(place, [''], signal)).values;
    const content = document ? readJsonDocument(document) : undefined;
    if (!content || !('leaves' in content)) return [];
    return plan.kept.flatMap((key) => content.leaves.get(key) ?? []);
  }

  async function restore(place: Place, generation: number, { signal }: SinkContext): Promise<Receipt> {
    const keys = placeKeys(place.name);
    const replies = await connection.transaction(
      label(place),
      [
        ['GET', keys.ledger],
        ['HGETALL', keys.undo],
      ],
      signal,
    );
    const failed = replies.find((reply) => reply instanceof Error);
    if (failed) throw redisError(label(place), failed);
    const [ledgerBytes, undoFields] = replies as [Buffer | null, Buffer[]];
    const current = ledgerOf(place, ledgerBytes);
    const decision = decideRestore(current, generation);
    if (decision === 'nothing-to-undo' || !current) return { generation: current?.generation ?? 0, writes: 0 };
    if (decision === 'conflict')
      throw new SinkError('conflict', `${label(place)}: generation ${generation} cannot be undone, generation ${current.generation} was written since`);
    const record = undoRecord(undoFields);
    if (record.generation !== String(generation))
      throw new SinkError('rejected', `${label(place)}: the undo record at ${keys.undo} is gone, so generation ${generation} cannot be undone`);
    const restored = restoredLedger(current, ledgerOf(place, record.ledger));
    await commit(place, digest(ledgerBytes), restored, record.changes, 'final', signal);
    return { generation: restored.generation, writes: record.changes.length };
  }

  async function commit(
    place: Place,
    ledgerDigest: string,
    ledger: Ledger | null,
    changes: readonly Change[],
    undo: 'undoable' | 'final',
    signal: AbortSignal,
  ): Promise<void> {
    const keys = placeKeys(place.name);
    const isHash = place.layout === 'hash';
    const valueKeys = isHash ? [place.name] : changes.map((change) => keyOf(place, change.field));
    const head = [
      isHash ? 'hash' : 'string',
      ledgerDigest,
      ledger ? encodeLedger(ledger) : '',
      ledger && undo === 'undoable' ? String(ledger.generation) : '-',
    ];
    const body = changes.flatMap(({ field, expected, action, text = '', expiry = '' }) => [field, expected, action, text, expiry]);
    const reply = await connection.script(label(place), commitScript, [keys.ledger, keys.undo, ...valueKeys, keys.guard], [...head, ...body], signal);
    const [outcome, detail, first] = reply as [Buffer, (Buffer | number | null)?, number?];
    if (String(outcome) === 'done') return;
    if (String(outcome) === 'moved') {
      const current = ledgerOf(place, Buffer.isBuffer(detail) ? detail : null);
      // An earlier attempt, whose answer was lost, has done it.
      if (current?.write === ledger?.write && current?.generation === ledger?.generation) return;
      throw new SinkError('conflict', `${label(place)}: it was written since it was read, the ledger is at generation ${current?.generation ?? 0}`);
    }
    const field = changes[(first ?? 0) - 1]?.field ?? '';
    const what = field === '' ? 'the document' : `${Number(detail)} of ${changes.length} keys, ${field} first,`;
    throw new SinkError('conflict', `${label(place)}: ${what} changed since it was read`, field === '' ? {} : { key: field });
  }

  return { read, apply, restore, close: () => connection.close() };
}

const MAX_ROUNDS = 5;

function keyOf(place: Place, field: string): string {
  return place.layout === 'keys' ? place.name + field : place.name;
}

/** First what tells whether it exists and is of the right type, then the values. */
function valueCommands(place: Place, fields: readonly string[]): (readonly [string, ...string[]])[] {
  const { name, layout } = place;
  if (layout === 'json') {
    return [
      ['TYPE', name],
      ['GET', name],
    ];
  }
  if (layout === 'hash') return [['TYPE', name], ...(fields.length === 0 ? [] : [['HMGET', name, ...fields] as const])];
  const keys = fields.map((field) => keyOf(place, field));
  if (keys.length === 0) return [];
  return [
    ['EXISTS', ...keys],
    ['MGET', ...keys],
  ];
}

function entryChanges(plan: WritePlan): readonly Change[] {
  const texts = new Map(plan.adopted.length === 0 ? [] : plan.entries.map((entry) => [entry.key, entry.text]));
  return [
    ...plan.puts.map(({ entry, before }): Change => ({ field: entry.key, expected: expectation(before), action: 'put', text: entry.text })),
    ...plan.deletes.map(({ key, before }): Change => ({ field: key, expected: expectation(before), action: 'delete' })),
    ...plan.adopted.map((key): Change => ({ field: key, expected: expectation(texts.get(key)), action: 'check' })),
  ];
}

function expectation(before: string | null | undefined): string {
  if (before === undefined) return '?';
  return before === null ? '-' : digest(Buffer.from(before));
}

function undoRecord(fields: readonly Buffer[]): { readonly generation: string; readonly ledger: Buffer | null; readonly changes: readonly Change[] } {
  const values = new Map<string, Buffer>();
  for (let i = 0; i + 1 < fields.length; i += 2) values.set(String(fields[i]), fields[i + 1] ?? Buffer.alloc(0));
  const expiryOfPlace = values.get('t');
  const changes = [...values].flatMap(([marked, text]): Change[] => {
    const [mark, field] = [marked.slice(0, 1), marked.slice(1)];
    const expiry = values.get(`t${field}`) ?? expiryOfPlace ?? '';
    if (mark === '+') return [{ field, expected: '*', action: 'put', text, expiry }];
    // What we deleted and is there again is somebody else's.
    if (mark === 'x') return [{ field, expected: '-', action: 'put', text, expiry }];
    return mark === '-' ? [{ field, expected: '*', action: 'delete' }] : [];
  });
  return { generation: String(values.get('generation') ?? ''), ledger: values.get('ledger') ?? null, changes };
}

/** SHA-1, because it is what a script of Redis can compute; `-` for what is absent. */
function digest(bytes: Buffer | null): string {
  return bytes === null ? '-' : createHash('sha1').update(bytes).digest('hex');
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Null for what is not text: it is there, and we cannot compare it. */
function textOf(bytes: Buffer): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}
