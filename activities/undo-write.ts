import { undoOf, type Fingerprint, type Ledger, type Owner } from '../domain/ledger.ts';
import type { LiveState, WritePlan } from '../domain/plan.ts';
import { SinkError } from '../sinks/errors.ts';
import type { Place, Sink } from '../sinks/sink.ts';

export interface UndoRequest {
  readonly place: Place;
  readonly keys: readonly string[];
  /** At most one of these stands there. */
  readonly writes: readonly string[];
  /** The write that is to follow. Where it stands already, an earlier attempt of it has undone the others. */
  readonly over?: string;
  readonly owner: Owner;
  readonly stream: string;
  readonly commit: string;
  readonly at: Date;
  readonly signal: AbortSignal;
  readonly fingerprint: Fingerprint;
}

const ATTEMPTS = 5;

/**
 * Makes sure that none of the writes stands at the place, and that none that is still under way somewhere can land any more: what was written is put
 * back; where nothing was, the ledger moves on by one generation, so that a late attempt meets a conflict.
 * `restored` if something was put back. Throws `conflict` if somebody else wrote since.
 */
export async function undoWrite(sink: Sink, request: UndoRequest): Promise<'restored' | 'fenced'> {
  const context = { signal: request.signal, keys: request.keys, fingerprint: request.fingerprint };
  const last = request.writes.at(-1) ?? '';
  let end: 'restored' | 'fenced' = 'fenced';
  for (let attempt = 1; ; attempt++) {
    try {
      const live = await sink.read(request.place, context);
      const ledger = live.ledger;
      if (ledger && request.writes.includes(ledger.write)) {
        await sink.restore(request.place, ledger.generation, context);
        end = 'restored';
        if (ledger.write === last) return end;
        // The latest write may still be under way, and only its own mark tells it that it is shut out.
        continue;
      }
      if (ledger && (ledger.write === request.over || ledger.write === undoOf(last))) return 'restored';
      if (ledger && request.writes.some((write) => undoOf(write) === ledger.write)) end = 'restored';
      // Somebody else's ledger: their plan held ours off from the beginning.
      if (ledger && Object.keys(ledger.keys).length > 0 && ledger.owner.tenant !== request.owner.tenant) return end;
      // Something newer of this run is there, so that nothing of ours can land any more; on top of it a fence would hide it from its own undo.
      if (ledger && request.writes.every((write) => isOfLaterRound(ledger.write, write))) return end;
      await sink.apply(request.place, fence(live, request), context).catch((error: unknown) => {
        // The read says that nothing of ours stands there, and who may not write a ledger cannot write values late either: there is nothing to put back.
        if (!(error instanceof SinkError && error.reason === 'unauthorized')) throw error;
      });
      return end;
    } catch (error) {
      if (!(error instanceof SinkError) || error.reason !== 'conflict' || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Ids of writes begin with the run and the number of its round. */
function isOfLaterRound(there: string, ours: string): boolean {
  const [run, round] = there.replace(/^undo:/, '').split('/');
  const [ourRun, ourRound] = ours.split('/');
  return run === ourRun && Number(round) > Number(ourRound);
}

/** A plan that changes nothing but the generation. */
function fence(live: LiveState, { owner, stream, commit, at, writes }: UndoRequest): WritePlan {
  const blank: Ledger = { version: 1, owner, stream, commit, generation: 0, write: '', state: 'committed', keys: {}, at: at.toISOString() };
  const before = live.ledger ?? blank;
  return {
    kind: 'write',
    base: { ledger: live.ledger, exists: live.exists, version: live.version },
    ledger: { ...before, generation: before.generation + 1, write: undoOf(writes.at(-1) ?? '') },
    content: 'keep',
    puts: [],
    deletes: [],
    adopted: [],
    kept: [],
    entries: [],
  };
}
