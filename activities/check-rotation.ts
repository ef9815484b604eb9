import pLimit from 'p-limit';
import { SecretError } from '../clients/vault/secret-error.ts';
import type { RotatedSecret } from '../domain/drift.ts';
import type { SecretPath } from './check-memory.ts';
import type { Checked } from './check-target.ts';
import type { ActivityDeps } from './deps.ts';

export interface Rotations {
  readonly rotated: readonly RotatedSecret[];
  /** The newest version of every secret that could be asked for, by `manager:path`; not of one that some target cannot be told to take now. */
  readonly versions: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
}

/** Each is a request. */
const MOST_PATHS = 1_000;
const ASKED_AT_ONCE = 8;

/**
 * Which secrets have a newer version than the one known, and the targets that hold them. One that is seen for the first time may have been rotated since it
 * was written, so it counts as newer: a run that finds it everywhere already writes nothing. Asks for versions, never for a value.
 */
export async function checkRotation(
  { secrets }: Pick<ActivityDeps, 'secrets'>,
  tenant: string,
  checked: readonly Checked[],
  known: Readonly<Record<string, number>>,
  signal: AbortSignal,
): Promise<Rotations> {
  const holders = Map.groupBy(
    checked.flatMap(({ target, secrets: paths, hasFailedRotation: failed }) => paths.map((secret) => ({ target, secret, failed }))),
    ({ secret }) => nameOf(secret),
  );
  const limit = pLimit(ASKED_AT_ONCE);
  const problems: string[] = [];
  const rotated: RotatedSecret[] = [];
  const versions = new Map<string, number>();
  await Promise.all(
    [...holders].slice(0, MOST_PATHS).map(([name, [first, ...others]]) =>
      limit(async () => {
        if (!first) return;
        const { manager, path, field } = first.secret;
        try {
          const [description] = await secrets.get(tenant, manager).describe([{ path, field }], signal);
          const version = description?.version ?? null;
          // KV v1 has no versions.
          if (version === null) return;
          const before = Object.hasOwn(known, name) ? known[name] : undefined;
          const all = [first, ...others];
          const isNewer = before === undefined || version > before;
          const again = !isNewer && all.some(({ failed }) => failed);
          const targets = all.map(({ target: { keys: _keys, moreKeys: _moreKeys, ...target } }) => target);
          if (isNewer || again) rotated.push({ secret: name, version, targets, ...(again && { again }) });
          // Still unknown, it is told again with the next check, when the others may be reached.
          if (!isNewer || targets.every(({ commit }) => commit !== undefined)) versions.set(name, version);
        } catch (error) {
          if (!(error instanceof SecretError) || signal.aborted) throw error;
          problems.push(error.message);
        }
      }),
    ),
  );
  if (holders.size > MOST_PATHS)
    problems.push(`${holders.size - MOST_PATHS} paths of secret managers are not looked at: more than ${MOST_PATHS} are referred to`);
  return { rotated: rotated.toSorted((a, b) => (a.secret < b.secret ? -1 : 1)), versions: Object.fromEntries(versions), problems };
}

function nameOf({ manager, path }: SecretPath): string {
  return `${manager}:${path}`;
}
