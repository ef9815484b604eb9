import { decideRestore, encodeLedger, intentLedger } from '../../domain/ledger.ts';
import { someOf, type LiveState, type WritePlan } from '../../domain/plan.ts';
import { createCasSink } from '../cas/cas-sink.ts';
import type { CasStore } from '../cas/cas-store.ts';
import { decodeLedgerItem } from '../cas/ledger-item.ts';
import { decodeUndoRecord, standingOf, type UndoChange } from '../cas/undo-record.ts';
import { SinkError } from '../errors.ts';
import type { Place, ResolveCredential, Sink, SinkContext } from '../sink.ts';
import { codec } from './codec.ts';
import { draftOf, standingAt } from './item.ts';
import { withOneList } from './one-list.ts';
import type { VercelFields, VercelOptions } from './options.ts';
import { ownBytes, ownNames } from './own-variable.ts';
import { redeploy } from './redeploy.ts';
import { isSameScope, scopeOf } from './scope.ts';
import { bytesOf, largestDeployment, MAX_DEPLOYMENT_BYTES } from './size.ts';
import { createVercelStore } from './store.ts';
import type { Variables } from './variables.ts';

/** What is Vercel's own about a sink of compare-and-set: the size of a deployment, values that nobody can bring back, deployments that pick changes up. */
export function createVercelSink(variables: Variables, { requestTimeout }: Pick<VercelOptions, 'requestTimeout'>, resolve: ResolveCredential): Sink {
  /** Told before anything is written; the API takes what the next deployment then fails with. */
  async function checkSize(once: Variables, place: Place<VercelFields>, plan: WritePlan, signal: AbortSignal): Promise<void> {
    const { fields, name } = place;
    const scope = scopeOf(fields);
    const all = await once.list(name, scope.targets, signal);
    const puts = plan.puts.map(({ entry: { key, text } }) => {
      const replaced = standingAt(all, key, fields).find((each) => isSameScope(each, scope));
      return { replaces: replaced?.id ?? null, bytes: bytesOf({ key, value: text }) };
    });
    const touched = [...plan.puts.map(({ entry }) => entry.key), ...plan.deletes.map(({ key }) => key)].flatMap((key) => standingAt(all, key, fields));
    const { ledger, undo } = ownNames(scope);
    // As many and as large as they get while the write goes on.
    const claim = Buffer.from(`${encodeLedger(intentLedger(plan.ledger, plan.base.ledger))}${plan.base.ledger ? encodeLedger(plan.base.ledger) : ''}`);
    const own = [
      ownBytes(ledger, claim),
      ownBytes(ledger, Buffer.from(encodeLedger(plan.ledger))),
      ownBytes(undo, Buffer.from(`${JSON.stringify(touched)}${claim.toString('utf8')}`)),
    ];
    const bytes = largestDeployment(all, scope, [...puts, ...own.map((each) => ({ replaces: null, bytes: each }))]);
    if (bytes > MAX_DEPLOYMENT_BYTES)
      throw new SinkError(
        'too-large',
        `vercel ${name}: a deployment would have ${bytes} bytes of variables, varTrack's own among them, above Vercel's limit of ${MAX_DEPLOYMENT_BYTES}; write fewer or shorter values`,
      );
  }

  /** Told before anything is undone. A conflict, as nothing but a new write gets on from here. */
  async function checkReturn(store: CasStore, place: Place<VercelFields>, generation: number, signal: AbortSignal): Promise<void> {
    const { name, fields } = place;
    const names = ownNames(scopeOf(fields));
    const [ledger, undo] = await store.get(place, [names.ledger, names.undo], codec.own.maxBytes, signal);
    const changes = ledger && undo ? changesToUndo(ledger.body, undo.body, generation) : [];
    if (changes.length === 0) return;
    const found = await store.get(
      place,
      changes.map((change) => change.name),
      Number.MAX_SAFE_INTEGER,
      signal,
    );
    const lost = changes.filter((change, index) => {
      const { before } = change;
      const isGone = before !== null && draftOf(change.name, before.body, before.attributes, fields) === null;
      return isGone && standingOf(change, found[index] ?? null) !== 'as-before';
    });
    if (lost.length === 0) return;
    const keys = someOf(lost.map((change) => change.name));
    throw new SinkError(
      'conflict',
      `vercel ${name}: the former value of ${keys} is sensitive, which Vercel shows to nobody, so it cannot be put back; sync the earlier commit to have it back`,
    );
  }

  /** Whether a deployment would get what was written, and not what somebody has changed since; that is found by the read that proves the write. */
  async function hasArrived(place: Place<VercelFields>, { puts }: WritePlan, context: SinkContext): Promise<boolean> {
    if (place.fields.redeploy === undefined) return false;
    const { entries } = await read(place, { ...context, keys: puts.map(({ entry }) => entry.key) });
    return puts.every(({ entry: { key, text } }) => (entries.get(key) ?? text) === text && entries.has(key));
  }

  async function deploy(place: Place<VercelFields>, writes: number, { signal }: SinkContext): Promise<void> {
    const { redeploy: hook } = place.fields;
    if (hook !== undefined && writes > 0) await redeploy(`vercel ${place.name}`, hook, resolve, requestTimeout, signal);
  }

  async function read(place: Place, context: SinkContext): Promise<LiveState> {
    return createCasSink(createVercelStore(withOneList(variables)), codec).read(place, context);
  }

  return {
    read,
    apply: async (given, plan, context) => {
      const place = given as Place<VercelFields>;
      const once = withOneList(variables);
      if (plan.puts.length > 0) await checkSize(once, place, plan, context.signal);
      const store: CasStore = {
        ...createVercelStore(once),
        settle: async () => {
          if (await hasArrived(place, plan, context)) await deploy(place, plan.puts.length + plan.deletes.length, context);
        },
      };
      return createCasSink(store, codec).apply(place, plan, context);
    },
    restore: async (given, generation, context) => {
      const place = given as Place<VercelFields>;
      const store = createVercelStore(withOneList(variables));
      await checkReturn(store, place, generation, context.signal);
      const receipt = await createCasSink(store, codec).restore(place, generation, context);
      await deploy(place, receipt.writes, context);
      return receipt;
    },
    close: () => variables.close(),
  };
}

/** What an undo of `generation` would put back; nothing where something is damaged or does not belong together, which the protocol says. */
function changesToUndo(ledgerBody: Buffer, undoBody: Buffer, generation: number): readonly UndoChange[] {
  try {
    const { ledger, before } = decodeLedgerItem(ledgerBody);
    const record = decodeUndoRecord(undoBody);
    const isMatching = before ? record.origin === before.origin : record.generation === ledger.generation && record.write === ledger.write;
    return isMatching && decideRestore(ledger, generation) === 'restore' ? record.changes : [];
  } catch {
    return [];
  }
}
