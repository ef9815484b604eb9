import type { VercelCore } from '@vercel/sdk/core.js';
import type { Result } from '@vercel/sdk/types/fp.js';
import { SinkError } from '../errors.ts';
import { readCredential } from '../read-credential.ts';
import type { ResolveCredential } from '../sink.ts';
import type { VercelOptions } from './options.ts';
import { rateLimitOf, type RateLimit } from './rate-limit.ts';
import { loadSdk, type Sdk } from './sdk.ts';
import { CONFLICTS, resetOf, vercelError } from './vercel-error.ts';

/** A variable of a project, as the API has it. */
export interface Variable extends Draft {
  readonly id: string;
  /** Null where the API does not give it away. */
  readonly value: string | null;
  /** Milliseconds; 0 where the API does not say. */
  readonly updatedAt: number;
}

/** What makes a variable. Environments are in the order of the alphabet. */
export interface Draft {
  readonly key: string;
  readonly value: string | null;
  readonly type: string;
  readonly targets: readonly string[];
  readonly gitBranch: string | null;
  readonly customEnvironments: readonly string[];
  readonly comment: string;
}

/** The few calls that the sink makes. They throw SinkError and nothing else. */
export interface Variables {
  /** All variables of the project, with values where there is a way to read them. Throws where some that are for one of `targets` could be missing. */
  list(project: string, targets: readonly string[], signal: AbortSignal): Promise<readonly Variable[]>;
  /**
   * Makes variables; `upsert` replaces one of the same name and scope. Throws `conflict` if one is in the way; others of them may then be made.
   * Gives them in any order.
   */
  create(project: string, drafts: readonly Draft[], mode: 'new' | 'upsert', signal: AbortSignal): Promise<readonly Variable[]>;
  /** Replaces all of one variable. */
  edit(project: string, id: string, draft: Draft, signal: AbortSignal): Promise<Variable>;
  /** Removes variables; one that is gone already is none that is missing. */
  remove(project: string, ids: readonly string[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** A token that was rotated is picked up that soon. */
const TOKEN_FOR_MS = 5 * 60_000;
const MAX_BATCH = 100;

/** Vercel's SDK, loaded when it is first needed. */
export function createVariables(options: VercelOptions, resolve: ResolveCredential): Variables {
  const closing = new AbortController();
  const { url, teamId } = options;
  const team = teamId === undefined ? {} : { teamId };
  let opening: Promise<Sdk> | undefined;
  let session: { readonly core: VercelCore; readonly limit: RateLimit; readonly until: number } | undefined;

  async function sessionOf(label: string, sdk: Sdk) {
    if (session && session.until > Date.now()) return session;
    const token = await readCredential(label, resolve, options.token);
    session = { core: sdk.coreFor(token, url), limit: rateLimitOf(url, token), until: Date.now() + TOKEN_FOR_MS };
    return session;
  }

  async function run<Value>(project: string, kind: 'request' | 'delete', signal: AbortSignal, call: Call<Value>): Promise<Value> {
    const label = `vercel ${project}`;
    const stop = AbortSignal.any([signal, closing.signal]);
    const refuse = (): SinkError =>
      new SinkError('unavailable', `${label}: ${closing.signal.aborted ? 'the sink was closed' : 'the call was cancelled, or ran out of time'}`);
    if (stop.aborted) throw refuse();
    try {
      opening ??= loadSdk();
      const sdk = await opening;
      const { core, limit } = await sessionOf(label, sdk);
      await limit.take('request', options.requestsPerMinute, options.requestTimeout, stop);
      if (kind === 'delete') await limit.take('delete', options.deletesPerMinute, options.requestTimeout, stop);
      const outcome = await call(sdk, core, { signal: AbortSignal.any([stop, AbortSignal.timeout(options.requestTimeout)]) });
      if (outcome.ok) return outcome.value;
      limit.pauseUntil(resetOf(outcome.error) ?? 0);
      throw vercelError(label, outcome.error);
    } catch (error) {
      if (stop.aborted) throw refuse();
      const known = error instanceof SinkError && !error.message.startsWith(label) ? named(label, error) : vercelError(label, error);
      if (known.reason === 'unauthorized') session = undefined;
      throw known;
    }
  }

  async function readOne(project: string, id: string, signal: AbortSignal): Promise<string | null> {
    const found = await run(project, 'request', signal, (sdk, core, call) => sdk.get(core, { idOrName: project, id, ...team }, call));
    return 'value' in found && found.decrypted === true ? found.value : null;
  }

  return {
    list: async (project, targets, signal) => {
      const body = await run(project, 'request', signal, (sdk, core, call) => sdk.list(core, { idOrName: project, decrypt: 'true', ...team }, call));
      const label = `vercel ${project}`;
      if (!('envs' in body)) throw new SinkError('rejected', `${label}: the answer is no list of variables`);
      if ('pagination' in body && body.pagination.next !== null)
        throw new SinkError('unsupported', `${label}: it has more variables than Vercel gives in one answer, and absent could not be told from not listed`);
      if (targets.includes('production') && 'hiddenProductionEnvCount' in body && body.hiddenProductionEnvCount > 0)
        throw new SinkError(
          'unauthorized',
          `${label}: the token may not see ${body.hiddenProductionEnvCount} variables of production; docs/sinks/vercel.md says what it needs`,
        );
      const found: Variable[] = [];
      for (const given of body.envs) {
        const variable = variableOf(given);
        const isSealed = variable.type === 'encrypted' && given.decrypted !== true;
        // Lists without values are what Vercel has announced; then each costs a request.
        const value = isSealed ? await readOne(project, variable.id, signal) : variable.value;
        found.push({ ...variable, value: ['encrypted', 'plain', 'system'].includes(variable.type) ? value : null });
      }
      return found;
    },

    create: async (project, drafts, mode, signal) => {
      const made: Variable[] = [];
      for (let from = 0; from < drafts.length; from += MAX_BATCH) {
        const batch = drafts.slice(from, from + MAX_BATCH);
        const request = { idOrName: project, ...team, ...(mode === 'upsert' ? { upsert: 'true' } : {}), requestBody: batch.map(bodyOf) };
        const { created = [], failed } = await run(project, 'request', signal, (sdk, core, call) => sdk.create(core, request, call));
        made.push(...[created].flat().map(variableOf));
        for (const { error } of failed) {
          const key = [error.envVarKey, error.key].find((each) => batch.some((draft) => draft.key === each));
          const about = `vercel ${project}: ${key ?? 'a variable'}`;
          if (CONFLICTS.includes(error.code)) throw new SinkError('conflict', `${about} was made since it was read`, key === undefined ? {} : { key });
          const code = /^\w{1,60}$/.test(error.code) ? error.code : 'no code';
          throw new SinkError('rejected', `${about} was refused by Vercel (${code})`, key === undefined ? {} : { key });
        }
        if (made.length < from + batch.length) throw new SinkError('unavailable', `vercel ${project}: not all variables are in the answer`);
      }
      return made;
    },

    edit: async (project, id, draft, signal) => {
      const { gitBranch, customEnvironments } = draft;
      const requestBody = { ...bodyOf(draft), gitBranch, customEnvironmentIds: [...customEnvironments] };
      const request = { idOrName: project, id, ...team, requestBody };
      return variableOf(await run(project, 'request', signal, (sdk, core, call) => sdk.edit(core, request, call)));
    },

    remove: async (project, ids, signal) => {
      for (let from = 0; from < ids.length; from += MAX_BATCH) {
        const request = { idOrName: project, ...team, requestBody: { ids: ids.slice(from, from + MAX_BATCH) } };
        await run(project, 'delete', signal, (sdk, core, call) => sdk.remove(core, request, call));
      }
    },

    close: async () => {
      closing.abort();
      await opening?.then((sdk) => sdk.close()).catch(() => undefined);
    },
  };
}

type Call<Value> = (sdk: Sdk, core: VercelCore, options: { readonly signal: AbortSignal }) => PromiseLike<Result<Value>>;

interface Given {
  readonly id?: string | undefined;
  readonly key: string;
  readonly value: string;
  readonly type: string;
  readonly target?: readonly string[] | string | undefined;
  readonly gitBranch?: string | undefined;
  readonly customEnvironmentIds?: readonly string[] | undefined;
  readonly comment?: string | undefined;
  readonly system?: boolean | undefined;
  readonly updatedAt?: number | undefined;
}

function variableOf({ id = '', key, value, type, target = [], gitBranch, customEnvironmentIds = [], comment = '', system, updatedAt = 0 }: Given): Variable {
  return {
    id,
    key,
    value,
    comment,
    updatedAt,
    type: system === true ? 'system' : type,
    targets: [target].flat().toSorted(),
    gitBranch: gitBranch ?? null,
    customEnvironments: customEnvironmentIds.toSorted(),
  };
}

function bodyOf({ key, value, type, targets, gitBranch, customEnvironments, comment }: Draft) {
  return {
    key,
    value: value ?? '',
    comment,
    type: type as 'encrypted',
    target: targets as 'production'[],
    ...(gitBranch === null ? {} : { gitBranch }),
    ...(customEnvironments.length === 0 ? {} : { customEnvironmentIds: [...customEnvironments] }),
  };
}

function named(label: string, error: SinkError): SinkError {
  const { retryAfterMs } = error;
  return new SinkError(error.reason, `${label}: ${error.message}`, retryAfterMs === undefined ? {} : { retryAfterMs });
}
