import type { CasStore, Item, ItemChange } from '../cas/cas-store.ts';
import { SinkError } from '../errors.ts';
import type { Place } from '../sink.ts';
import { draftOf, isMarked, itemOf, standingAt } from './item.ts';
import type { VercelFields } from './options.ts';
import { endsWrite, isOwn, nextNumber, ownDraft, ownItem, ownNames, ownVersions, versionOf, type OwnVersion } from './own-variable.ts';
import { describeScope, isSameScope, scopeOf } from './scope.ts';
import type { Draft, Variable, Variables } from './variables.ts';

/**
 * Variables as a store of compare-and-set. For ledger and undo record it is one (see {@link OwnVersion}), and for a key that has to be absent; the value
 * of a variable that is there is compared just before it is replaced, because the API has no condition for it.
 */
export function createVercelStore(variables: Variables): CasStore {
  async function listAt(place: Place, signal: AbortSignal): Promise<readonly Variable[]> {
    return variables.list(place.name, fieldsOf(place).targets, signal);
  }

  async function get(place: Place, names: readonly string[], maxBytes: number, signal: AbortSignal): Promise<readonly (Item | null)[]> {
    const all = await listAt(place, signal);
    return names.map((name) => {
      const item = find(place, name, all);
      if (item && item.body.length > maxBytes)
        throw new SinkError('too-large', `${where(place)}: ${name} has ${item.body.length} bytes, above the limit of ${maxBytes}`);
      return item;
    });
  }

  /** Its number's successor can be made once; who made it, and finds what was there before still in place, goes on. */
  async function replaceOwn(place: Place, name: string, expected: string | null, body: Buffer, signal: AbortSignal): Promise<string> {
    const scope = scopeOf(fieldsOf(place));
    const number = nextNumber(expected);
    const [made] = await variables.create(place.name, [ownDraft(name, number, body, scope)], 'new', signal);
    if (!made) throw new SinkError('unavailable', `${where(place)}: ${name} is not in the answer`);
    const all = await listAt(place, signal);
    const now = ownVersions(all, name, scope);
    const others = now.filter((each) => each.variable.id !== made.id);
    const isNewest = now.at(-1)?.variable.id === made.id && (others.at(-1)?.number ?? 0) < number;
    const stood = expected === null ? others.length === 0 : others.some((each) => versionOf(each) === expected);
    if (!isNewest || !stood) {
      await variables.remove(place.name, [made.id], signal);
      throw new SinkError('conflict', `${where(place)}: ${name} was written since it was read`);
    }
    if (endsWrite(name, body)) {
      const old = Object.values(ownNames(scope)).flatMap((each) => ownVersions(all, each, scope).slice(0, -1));
      if (old.length > 0) await variables.remove(place.name, idsOf(old), signal);
    }
    return versionOf({ number, variable: made });
  }

  async function removeOwn(place: Place, name: string, expected: string, signal: AbortSignal): Promise<null> {
    const scope = scopeOf(fieldsOf(place));
    const conflict = (): SinkError => new SinkError('conflict', `${where(place)}: ${name} was written since it was read`);
    const now = ownVersions(await listAt(place, signal), name, scope);
    const newest = now.at(-1);
    if (!newest || versionOf(newest) !== expected) throw conflict();
    await variables.remove(place.name, idsOf(now), signal);
    const after = ownVersions(await listAt(place, signal), name, scope);
    if (after.some((each) => each.number > newest.number)) throw conflict();
    return null;
  }

  async function writeValues(place: Place, changes: readonly ItemChange[], signal: AbortSignal): Promise<readonly (string | null)[]> {
    const fields = fieldsOf(place);
    const all = await listAt(place, signal);
    const steps = changes.map((change) => stepOf(place, change, all));
    const drafts = (action: Step['action']): readonly Draft[] => steps.flatMap((step) => (step.action === action && step.draft ? [step.draft] : []));
    // Values first and deletes last, so that a deployment of renamed keys never finds neither.
    const made = drafts('create').length === 0 ? [] : [...(await variables.create(place.name, drafts('create'), 'new', signal))];
    if (drafts('upsert').length > 0) made.push(...(await variables.create(place.name, drafts('upsert'), 'upsert', signal)));
    for (const { action, draft, ids } of steps) {
      const [id = ''] = ids;
      if (action === 'edit' && draft) made.push(await variables.edit(place.name, id, draft, signal));
      if (action !== 'recreate' || !draft) continue;
      await variables.remove(place.name, ids, signal);
      made.push(...(await variables.create(place.name, [draft], 'new', signal)));
    }
    const gone = steps.flatMap(({ action, ids }) => (action === 'delete' ? ids : []));
    if (gone.length > 0) await variables.remove(place.name, gone, signal);
    return steps.map(({ action, draft, seen }) => {
      if (!draft) return action === 'check' ? (seen?.version ?? null) : null;
      const variable = made.find((each) => each.key === draft.key);
      return variable ? (itemOf([{ ...variable, value: draft.type === 'sensitive' ? null : draft.value }], fields)?.version ?? null) : null;
    });
  }

  return {
    get,
    version: async (place, name, signal) => find(place, name, await listAt(place, signal))?.version ?? null,
    write: async (place, changes, signal) => {
      const own = changes.filter(({ name }) => isOwn(name));
      const values = changes.filter(({ name }) => !isOwn(name));
      const written = new Map<ItemChange, string | null>();
      if (values.length > 0) {
        const versions = await writeValues(place, values, signal);
        for (const [index, change] of values.entries()) written.set(change, versions[index] ?? null);
      }
      for (const change of own) {
        if (change.action === 'put') written.set(change, await replaceOwn(place, change.name, change.expected, change.body, signal));
        else if (change.action === 'delete') written.set(change, await removeOwn(place, change.name, change.expected, signal));
        else {
          const version = find(place, change.name, await listAt(place, signal))?.version ?? null;
          if (version !== change.expected) throw new SinkError('conflict', `${where(place)}: ${change.name} was written since it was read`);
          written.set(change, version);
        }
      }
      return changes.map((change) => written.get(change) ?? null);
    },
    // Batches of the API; each list before them costs a request of the few that there are.
    atOnce: 1_000,
    close: () => variables.close(),
  };
}

/** How one change is carried out. `create` fails if the key is there; `recreate` is for what the API does not turn into another type. */
interface Step {
  readonly action: 'check' | 'create' | 'upsert' | 'edit' | 'recreate' | 'delete';
  readonly draft: Draft | null;
  readonly ids: readonly string[];
  readonly seen: Item | null;
}

function stepOf(place: Place, change: ItemChange, all: readonly Variable[]): Step {
  const fields = fieldsOf(place);
  const { name: key } = change;
  const standing = standingAt(all, key, fields);
  const seen = itemOf(standing, fields);
  if ((seen?.version ?? null) !== change.expected) throw new SinkError('conflict', `${where(place)}: ${key} changed since it was read`, { key });
  const ids = standing.map((each) => each.id);
  if (change.action === 'check') return { action: 'check', draft: null, ids, seen };
  if (change.action === 'delete') {
    const others = standing.filter((each) => !isSameScope(each, scopeOf(fields)) && !isMarked(each, fields));
    if (others.length > 0) throw shared(place, key, others);
    return { action: 'delete', draft: null, ids, seen };
  }
  const draft = draftOf(key, change.body, change.attributes, fields);
  // Its own reason: looking again does not bring back what nobody can read.
  if (!draft)
    throw new SinkError(
      'conflict',
      `${where(place)}: the former value of ${key} is sensitive, which Vercel shows to nobody; sync the earlier commit to have it back`,
      { key },
    );
  const [variable, ...others] = standing;
  if (!variable) return { action: 'create', draft, ids, seen };
  if (others.length > 0) throw shared(place, key, standing);
  if (variable.type === 'system') throw new SinkError('rejected', `${where(place)}: ${key} is a variable of Vercel's own; rename the key`, { key });
  if (variable.type === 'sensitive' && draft.type !== 'sensitive') return { action: 'recreate', draft, ids, seen };
  if (isSameScope(variable, draft)) return { action: 'upsert', draft, ids, seen };
  if (!isMarked(variable, fields) && isSameScope(draft, scopeOf(fields))) throw shared(place, key, [variable]);
  return { action: 'edit', draft, ids, seen };
}

/** One variable for several environments, of which only some are ours. */
function shared(place: Place, key: string, standing: readonly Variable[]): SinkError {
  const scopes = standing.map((each) => `(${describeScope(each)})`).join(' and ');
  return new SinkError('rejected', `${where(place)}: ${key} is there for ${scopes}, which is shared with others; make it a variable for each environment`, {
    key,
  });
}

function find(place: Place, name: string, all: readonly Variable[]): Item | null {
  const fields = fieldsOf(place);
  if (!isOwn(name)) return itemOf(standingAt(all, name, fields), fields);
  const newest = ownVersions(all, name, scopeOf(fields)).at(-1);
  return newest ? ownItem(where(place), name, newest) : null;
}

function idsOf(versions: readonly OwnVersion[]): readonly string[] {
  return versions.map(({ variable }) => variable.id);
}

function fieldsOf(place: Place): VercelFields {
  return place.fields as VercelFields;
}

function where({ name }: Place): string {
  return `vercel ${name}`;
}
