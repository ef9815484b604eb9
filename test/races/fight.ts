import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { startDriftWatches } from '../../clients/start-drift-watch.ts';
import {
  checkNowSignal,
  driftStateQuery,
  driftWorkflowId,
  forceHealSignal,
  pauseSignal,
  resumeSignal,
  syncWorkflowId,
  type DriftWatchState,
} from '../../workflows/messages.ts';
import type { Branch } from './commands.ts';
import type { Blow, Environment, Place } from './fight-commands.ts';
import { runOf, triggersOf } from './fight-writes.ts';
import { DEVELOP, filesOf, MAIN, type World } from './world.ts';

/** One random fight: carries its blows out, and knows what must be true at its end. */
export interface Fight {
  strike(blow: Blow): Promise<void>;
  comeToRest(): Promise<void>;
  expectAllTold(): Promise<void>;
}

interface Content {
  readonly word: string;
  readonly keys: readonly string[];
}

interface Edit {
  readonly id: string;
  readonly place: string;
  /** What the stranger put there; null for nothing. */
  readonly theirs: string | null;
  /** Writes that had ended before. */
  readonly since: number;
}

const BRANCHES: readonly Branch[] = ['main', 'develop'];
const ENVIRONMENTS: readonly Environment[] = ['production', 'staging'];
const PATIENCE = { timeout: 90_000, interval: 100 };

/** Puts a stranger's text there (or takes it away) and gives what was there. */
const EDIT = `
local is_hash = ARGV[1] == 'hash'
local was
if is_hash then was = redis.call('HGET', KEYS[1], 'a') else was = redis.call('GET', KEYS[1]) end
if ARGV[2] == '' then
  if is_hash then redis.call('HDEL', KEYS[1], 'a') else redis.call('DEL', KEYS[1]) end
elseif is_hash then redis.call('HSET', KEYS[1], 'a', ARGV[2]) else redis.call('SET', KEYS[1], ARGV[2]) end
return was`;

/** Every fight goes on where the one before it ended, but for what its watch remembers of heals. */
export async function openFight(world: World): Promise<Fight> {
  const { stack, redis, control } = world;
  const { client } = stack.temporal;
  const watch = client.workflow.getHandle(driftWorkflowId(stack.tenant));
  const refusal = join(stack.directory, 'refuse');
  const contents = new Map<string, Content>();
  const heads: Record<Branch, string> = { main: '', develop: '' };
  const foreign = new Map<Environment, string>();
  const edits: Edit[] = [];
  const terminated = new Set<string>();
  const began = control.records.length;
  /** While it is paused: how many writes there were when all that was under way had ended. */
  let paused: { readonly since: number; readonly edited: Set<string> } | null = null;
  let step = 0;

  await watch.terminate('another fight begins').catch(() => undefined);
  for (const branch of BRANCHES) {
    // A word of its own, so that every ledger is at a commit of this fight.
    await commit(branch, { word: `start${Math.round(performance.now())}`, keys: ['a'] });
    const { status } = await world.outcomeOf(await world.ask(refOf(branch)));
    expect(['Synced', 'Unchanged'], status).toContain(status);
  }
  for (const environment of ENVIRONMENTS) await strikeForeign(environment);
  await writeFile(join(world.files, 'neighbour.env'), 'THEIRS=1\n');
  await startDriftWatches(client, [stack.tenant], `test-${stack.tenant}`);
  await expect.poll(async () => (await state())?.targets.length, PATIENCE).toBe(6);

  async function strike(blow: Blow): Promise<void> {
    step++;
    switch (blow.do) {
      case 'edit':
        return edit(blow.environment, blow.place, blow.change === 'change' ? `theirs ${step} ${performance.now()}` : null);
      case 'foreign':
        return strikeForeign(blow.environment);
      case 'push': {
        const head = await commit(blow.branch, blow);
        if (blow.isTold) await world.webhook(refOf(blow.branch), head);
        return;
      }
      case 'heal': {
        const { only } = blow;
        const targets = only === undefined ? {} : { targets: ENVIRONMENTS.map((environment) => idOf(environment, only)) };
        return watch.signal(forceHealSignal, { by: 'ann', reason: 'a fight', ...targets });
      }
      case 'terminate':
        return terminate(blow.branch);
      case 'pause':
        return pause();
      case 'resume':
        return resume();
      case 'check':
        return watch.signal(checkNowSignal, {});
      case 'refuse':
        return writeFile(refusal, '');
      case 'allow':
        return rm(refusal, { force: true });
      case 'restart':
        await stack.stopWorker();
        return stack.startWorker();
      case 'rest':
        return atRest();
    }
  }

  async function commit(branch: Branch, content: Content): Promise<string> {
    heads[branch] = await stack.repository.commit({ ...filesOf(content.word, content.keys), step: `${step} ${performance.now()}\n` }, branch);
    contents.set(heads[branch], content);
    return heads[branch];
  }

  async function edit(environment: Environment, place: Place, theirs: string | null): Promise<void> {
    const id = idOf(environment, place);
    paused?.edited.add(id);
    if (place === 'file') {
      const file = join(world.files, `${environment}.env`);
      return theirs === null ? rm(file, { force: true }) : writeFile(file, `A="${theirs}"\n`);
    }
    const name = place === 'hash' ? `app:${environment}` : `flags:${environment}:`;
    const since = control.records.length;
    const was = (await redis.eval(EDIT, 1, place === 'hash' ? name : `${name}a`, place, theirs ?? '')) as string | null;
    // What no check can have seen need not be told.
    const former = edits.findIndex((each) => each.place === name && each.theirs === was);
    if (former !== -1) edits.splice(former, 1);
    edits.push({ id, place: name, theirs, since });
  }

  async function strikeForeign(environment: Environment): Promise<void> {
    const value = `foreign ${step} ${performance.now()}`;
    foreign.set(environment, value);
    await redis.hset(`app:${environment}`, 'foreign', value);
    await redis.set(`flags:${environment}:foreign`, value);
  }

  async function terminate(branch: Branch): Promise<void> {
    const handle = client.workflow.getHandle(syncWorkflowId(stack.tenant, 'config', branch));
    const { status, runId } = await handle.describe();
    if (status.name !== 'RUNNING') return;
    terminated.add(runId);
    await client.workflow
      .getHandle(handle.workflowId, runId)
      .terminate('a fight')
      .catch(() => undefined);
  }

  async function pause(): Promise<void> {
    if (paused) return;
    await watch.signal(pauseSignal, { by: 'ann', reason: 'a fight' });
    await expect.poll(async () => (await watch.describe()).memo?.['pause'] ?? null, PATIENCE).not.toBeNull();
    await streamsEnd();
    paused = { since: control.records.length, edited: new Set() };
  }

  /** Nothing was written meanwhile, and what changed was told (I12). */
  async function resume(): Promise<void> {
    if (!paused) return;
    const { since, edited } = paused;
    await streamsEnd();
    const told = async (): Promise<unknown> =>
      ((await state())?.targets ?? []).filter(({ status }) => status === 'Drifted' || status === 'Contested').map(({ id }) => id);
    await expect.poll(told, PATIENCE).toEqual(expect.arrayContaining([...edited]));
    // What a run had begun when it was terminated comes to its end unseen.
    const written = control.records.slice(since).filter((record) => !terminated.has(runOf(record)));
    expect(written, 'written in a pause').toEqual([]);
    paused = null;
    await watch.signal(resumeSignal, { by: 'ann' });
  }

  /** Until no stream works any more; what a watch begins later is not waited for. */
  async function streamsEnd(): Promise<void> {
    const running = async (): Promise<readonly string[]> => {
      const names = await Promise.all(
        BRANCHES.map(async (branch) => (await client.workflow.getHandle(syncWorkflowId(stack.tenant, 'config', branch)).describe()).status.name),
      );
      return names.filter((name) => name === 'RUNNING');
    };
    await expect.poll(running, PATIENCE).toEqual([]);
  }

  /** Nothing more happens by itself: what is not in sync is contested, waits for its next heal, or only warns. */
  async function atRest(): Promise<void> {
    const since = new Date().toISOString();
    const isUnsettled = async (): Promise<unknown> => {
      const found = await state();
      if (!found || found.busy || (found.checkedAt ?? '') < since) return 'no answer';
      const isQuiet = ({ status, nextHealAt, mode }: DriftWatchState['targets'][number]): boolean =>
        status === 'InSync' || status === 'Contested' || (status === 'Drifted' && (paused !== null || nextHealAt !== undefined || mode === 'warn'));
      const unquiet = found.targets.filter((target) => !isQuiet(target));
      const untrue = await Promise.all(
        found.targets.map(async ({ id, status, commit: at = '' }) => (status === 'InSync' && (await live(id)) !== wanted(at) ? [id] : [])),
      );
      return [...unquiet, ...untrue.flat()];
    };
    await expect.poll(isUnsettled, PATIENCE).toEqual([]);
  }

  async function comeToRest(): Promise<void> {
    await rm(refusal, { force: true });
    await resume();
    await atRest();
    const streams = (await state())?.streams ?? [];
    // A person who does not wait for the next attempt.
    for (const branch of BRANCHES) if (streams.some(({ stream }) => stream === branch)) await world.ask(refOf(branch));
    await expect.poll(async () => (await state())?.streams, PATIENCE).toEqual([]);
    await watch.signal(forceHealSignal, { by: 'ann', reason: 'the end of a fight' });
    await expect.poll(async () => summaryOf(await state()), PATIENCE).toEqual(Array(6).fill('InSync'));
    for (const environment of ENVIRONMENTS) {
      const head = heads[environment === 'production' ? 'main' : 'develop'];
      for (const place of ['hash', 'file', 'flags'] as const) expect([place, await live(idOf(environment, place))]).toEqual([place, wanted(head)]);
      expect(await redis.hget(`app:${environment}`, 'foreign')).toBe(foreign.get(environment));
      expect(await redis.get(`flags:${environment}:foreign`)).toBe(foreign.get(environment));
    }
    expect(await readFile(join(world.files, 'neighbour.env'), 'utf8')).toBe('THEIRS=1\n');
  }

  async function expectAllTold(): Promise<void> {
    const records = control.records.slice(began);
    const writes = await triggersOf(client, stack.tenant, records);
    for (const { op, write = '', plan, place } of records) {
      if (op !== 'apply') continue;
      const origin = writes.get(write.replace(/^undo:/, ''));
      expect(origin, `${place}: ${write} is of no request`).toBeDefined();
      if (origin?.trigger !== 'heal') continue;
      // It mends what is there, and takes no commit along (I7).
      expect([place, plan?.ledger.commit, plan?.base.ledger?.commit]).toEqual([place, origin.commit, origin.commit]);
      if (place.startsWith('flags:')) expect(origin.by).toBe('ann');
    }
    for (const { place, theirs, since } of edits) {
      const later = control.records.slice(since).filter((record) => record.place === place);
      const isMet = later.some(({ op, plan }) => op === 'restore' || plan?.puts.some(({ entry, before }) => entry.key === 'a' && before === theirs));
      expect(isMet, `${place}: nobody told of ${theirs ?? 'the removal'}: ${JSON.stringify(later)}`).toBe(true);
    }
  }

  /** Undefined while nobody answers. */
  async function state(): Promise<DriftWatchState | undefined> {
    return client.withDeadline(Date.now() + 10_000, () => watch.query(driftStateQuery)).catch(() => undefined);
  }

  async function live(id: string): Promise<string> {
    const [rule, environment = '', destination] = id.split('/');
    const keys = ['a', 'b'];
    if (rule === 'settings' && destination === '1') return (await readFile(join(world.files, `${environment}.env`), 'utf8').catch(() => '')).trimEnd();
    const values = rule === 'flags' ? await redis.mget(keys.map((key) => `flags:${environment}:${key}`)) : await redis.hmget(`app:${environment}`, ...keys);
    return linesOf(keys.flatMap((key, index) => (typeof values[index] === 'string' ? [[key, values[index]]] : [])));
  }

  function wanted(at: string): string {
    const { word, keys } = contents.get(at) ?? { word: `unknown ${at}`, keys: ['a'] };
    return linesOf(keys.map((key) => [key, word]));
  }

  return { strike, comeToRest, expectAllTold };
}

function refOf(branch: Branch) {
  return branch === 'main' ? MAIN : DEVELOP;
}

function idOf(environment: Environment, place: Place): string {
  return place === 'flags' ? `flags/${environment}/0` : `settings/${environment}/${place === 'hash' ? 0 : 1}`;
}

/** As the file has it. */
function linesOf(entries: readonly (readonly string[])[]): string {
  return entries.map(([key = '', value]) => `${key.toUpperCase()}=${value}`).join('\n');
}

function summaryOf(state: DriftWatchState | undefined): readonly string[] {
  return (state?.targets ?? []).map(({ id, status, message }) => (status === 'InSync' ? status : `${id} ${status} ${message ?? ''}`));
}
