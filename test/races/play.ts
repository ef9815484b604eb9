import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Ledger } from '../../domain/ledger.ts';
import type { RefEvent } from '../../domain/routing.ts';
import type { RunOutcome } from '../../domain/status.ts';
import { placeKeys } from '../../sinks/redis/place-keys.ts';
import { driftWorkflowId, pauseSignal, resumeSignal } from '../../workflows/messages.ts';
import type { Branch, Command } from './commands.ts';
import type { Held } from './controlled-sinks.ts';
import { expectTruthOf } from './truth.ts';
import { DEVELOP, filesOf, MAIN, type World } from './world.ts';

/** One random history: carries its commands out, and knows what must be true at its end. */
export interface Play {
  act(command: Command): Promise<void>;
  comeToRest(): Promise<void>;
  expectTruth(): Promise<void>;
}

interface Content {
  readonly word: string;
  readonly keys: readonly string[];
}

type Environment = 'production' | 'staging';
const ENVIRONMENTS: readonly Environment[] = ['production', 'staging'];
const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';

/** Makes a key that nobody has and the ledger does not own. */
const CREATE = `
local ledger = redis.call('GET', KEYS[1])
if ledger and cjson.decode(ledger).keys['late'] then return 0 end
if ARGV[1] == 'hash' then return redis.call('HSETNX', KEYS[2], 'late', 'theirs') end
return redis.call('SETNX', KEYS[2], 'theirs')`;

export async function openPlay(world: World): Promise<Play> {
  const { stack, redis, control } = world;
  const git = (...args: readonly string[]) => stack.repository.git(...args);
  const refusal = join(stack.directory, 'refuse');
  const watch = stack.temporal.client.workflow.getHandle(driftWorkflowId(stack.tenant));
  await world.reset();

  const contents = new Map<string, Content>();
  const heads: Record<Branch, string> = { main: '', develop: '' };
  const tags = new Map<string, string>();
  const untold: { readonly ref: RefEvent; readonly commit: string }[] = [];
  const holds: { readonly held: Held; readonly until: number; readonly end: 'go' | 'unavailable' }[] = [];
  const strangers = new Map<string, string>();
  /** Redis keys and fields that a stranger made where a write may want to go. */
  const created = new Set<string>();
  const disturbed = new Set<string>();
  let step = 0;

  for (const name of (await git('tag')).split('\n').filter(Boolean)) {
    await git('tag', '-d', name);
    await git('push', '-q', 'origin', `:refs/tags/${name}`);
  }
  for (const branch of ['main', 'develop'] as const) {
    // Beside the date, the words make each commit its own.
    const root = await git('commit-tree', '-m', `${branch} ${performance.now()}`, EMPTY_TREE);
    await git('checkout', '-q', '-f', '-B', branch, root);
    await commit(branch, { word: 'start', keys: ['a'] });
  }
  for (const environment of ENVIRONMENTS) await stranger('foreign', environment);
  await writeFile(join(world.files, 'neighbour.env'), 'THEIRS=1\n');

  async function commit(branch: Branch, content: Content): Promise<string> {
    heads[branch] = await stack.repository.commit({ ...filesOf(content.word, content.keys), step: `${step} ${performance.now()}\n` }, branch);
    contents.set(heads[branch], content);
    return heads[branch];
  }

  async function tell(ref: RefEvent, at: string, told: 'now' | 'twice' | 'later' | 'never'): Promise<void> {
    if (told === 'later') untold.push({ ref, commit: at });
    if (told !== 'now' && told !== 'twice') return;
    const { id } = await world.webhook(ref, at);
    if (told === 'twice') await world.webhook(ref, at, id);
  }

  async function stranger(change: string, environment: Environment): Promise<void> {
    const [hash, prefix] = [`app:${environment}`, `flags:${environment}:`];
    if (change === 'foreign') {
      const value = `theirs ${step}`;
      strangers.set(environment, value);
      await redis.hset(hash, 'foreign', value);
      await redis.set(`${prefix}foreign`, value);
    } else if (change === 'create') {
      disturbed.add(hash).add(prefix);
      if (await redis.eval(CREATE, 2, placeKeys(hash).ledger, hash, 'hash')) created.add(hash);
      if (await redis.eval(CREATE, 2, placeKeys(prefix).ledger, `${prefix}late`, 'keys')) created.add(`${prefix}late`);
    } else if (change === 'owned') {
      disturbed.add(hash).add(prefix);
      const ledger = JSON.parse((await redis.get(placeKeys(hash).ledger)) ?? '{"keys":{}}') as Pick<Ledger, 'keys'>;
      if (Object.hasOwn(ledger.keys, 'a')) await redis.hset(hash, 'a', 'drifted');
    } else {
      const file = join(world.files, `${environment}.env`);
      disturbed.add(file);
      await rm(file, { force: true });
    }
  }

  async function heal(environment: Environment, at: string | undefined): Promise<void> {
    const ledger = await ledgerAt(`app:${environment}`);
    const commit = at ?? ledger?.commit;
    if (!ledger || commit === undefined) return;
    const newest = newestOf(tags);
    const branchRef = environment === 'production' ? MAIN : DEVELOP;
    const ref: RefEvent = ledger.stream.includes('tags:') && newest ? { kind: 'tag', name: newest.name } : branchRef;
    const only = [`settings/${environment}/0`, `settings/${environment}/1`, `flags/${environment}/0`];
    await world.ask(ref, { trigger: 'heal', only, commit });
  }

  async function act(command: Command): Promise<void> {
    step++;
    switch (command.do) {
      case 'push':
        await tell(branchOf(command.branch), await commit(command.branch, command), command.told);
        break;
      case 'tell': {
        const [found] = untold.splice(command.index % Math.max(untold.length, 1), 1);
        if (found) await tell(found.ref, found.commit, 'now');
        break;
      }
      case 'tell-old':
        await tell(branchOf(command.branch), pick(contents, command.index), 'now');
        break;
      case 'force': {
        const to = pick(contents, command.index);
        await git('checkout', '-q', '-f', '-B', command.branch, to);
        await git('push', '-q', '-f', 'origin', command.branch);
        heads[command.branch] = to;
        await tell(branchOf(command.branch), to, 'now');
        break;
      }
      case 'tag': {
        const at = pick(contents, command.index);
        await git('tag', '-f', command.name, at);
        await git('push', '-q', '-f', 'origin', `refs/tags/${command.name}`);
        tags.set(command.name, at);
        await tell({ kind: 'tag', name: command.name }, at, command.told);
        break;
      }
      case 'sync': {
        const newest = newestOf(tags);
        if (command.stream !== 'tags') await world.ask(branchOf(command.stream));
        else if (newest) await world.ask({ kind: 'tag', name: newest.name });
        break;
      }
      case 'heal':
        if (command.at === 'drift') await stranger('owned', command.environment);
        await heal(command.environment, command.at === 'any' ? pick(contents, command.index) : undefined);
        break;
      case 'pause':
        await watch.signal(pauseSignal, { by: 'ann', reason: 'a race' });
        break;
      case 'resume':
        await watch.signal(resumeSignal, { by: 'ann' });
        break;
      case 'refuse':
        await writeFile(refusal, '');
        break;
      case 'allow':
        await rm(refusal, { force: true });
        break;
      case 'slow':
        await redis.call('CLIENT', 'PAUSE', String(command.milliseconds), 'ALL');
        break;
      case 'stranger':
        await stranger(command.change, command.environment);
        break;
      case 'hold': {
        const held = control.hold(command.when, (call) => call.op === command.op && call.kind === command.kind);
        holds.push({ held, until: step + command.for, end: command.end });
        break;
      }
      case 'restart':
        letGo(Infinity);
        await stack.stopWorker();
        await stack.startWorker();
        break;
      case 'settle':
        letGo(Infinity);
        await world.idle();
        break;
    }
    letGo(step);
  }

  function letGo(now: number): void {
    for (const hold of holds.filter(({ until }) => until <= now)) {
      holds.splice(holds.indexOf(hold), 1);
      hold.held.release(hold.end);
    }
  }

  async function comeToRest(): Promise<void> {
    letGo(Infinity);
    await act({ do: 'allow' });
    await act({ do: 'resume' });
    await world.idle();
    // What strangers made in the way of a write is theirs until they take it away.
    for (const key of created) {
      const isHash = key.startsWith('app:');
      expect(isHash ? await redis.hget(key, 'late') : await redis.get(key), key).toBe('theirs');
      await (isHash ? redis.hdel(key, 'late') : redis.del(key));
    }
    await syncAll();
    const { settled, last } = await syncAll();
    await expectState();
    const before = await world.traces();
    for (const ref of last) {
      const outcome = await finalSync(ref);
      expect(['Unchanged', 'Superseded'], JSON.stringify([ref, outcome, settled, world.control.records.slice(-8)])).toContain(outcome.status);
    }
    expect(await world.traces()).toEqual(before);
  }

  /** Two passes, since what one stream is at decides what the other may do. A branch that is beside its tags comes last, and wins. */
  async function syncAll(): Promise<{ readonly settled: readonly RunOutcome[]; readonly last: readonly RefEvent[] }> {
    const newest = newestOf(tags);
    const refs: RefEvent[] = [DEVELOP, ...(newest ? [{ kind: 'tag', name: newest.name } as const] : []), MAIN];
    const settled: RunOutcome[] = [];
    for (const ref of refs) {
      const outcome = await finalSync(ref);
      expect(['Synced', 'Unchanged', 'Superseded'], JSON.stringify(outcome)).toContain(outcome.status);
      settled.push(outcome);
    }
    const isBeside = newest !== undefined && !(await contains(newest.at, heads.main)) && !(await contains(heads.main, newest.at));
    return { settled, last: isBeside ? [DEVELOP, MAIN] : refs };
  }

  async function finalSync(ref: RefEvent): Promise<RunOutcome> {
    const outcome = await world.outcomeOf(await world.ask(ref));
    await world.idle();
    return outcome;
  }

  const contains = async (commitish: string, other: string): Promise<boolean> =>
    git('merge-base', '--is-ancestor', other, commitish).then(
      () => true,
      () => false,
    );

  async function expectState(): Promise<void> {
    const newest = newestOf(tags);
    const tagWins = newest !== undefined && (await contains(newest.at, heads.main));
    const wanted = { production: tagWins ? newest.at : heads.main, staging: heads.develop };
    for (const environment of ENVIRONMENTS) {
      const { word, keys } = contents.get(wanted[environment]) ?? { word: '', keys: [] };
      const all = Object.fromEntries(keys.map((key) => [key, word]));
      const foreign = strangers.get(environment);
      const prefix = `flags:${environment}:`;
      const flags = (await redis.keys(`${prefix}*`)).filter((key) => !key.includes('vartrack'));
      const found = Object.fromEntries(await Promise.all(flags.map(async (key) => [key.slice(prefix.length), await redis.get(key)] as const)));
      expect({
        hash: await redis.hgetall(`app:${environment}`),
        flags: found,
        file: (await readFile(join(world.files, `${environment}.env`), 'utf8')).trimEnd(),
        ledgers: await Promise.all(
          ['app:production', 'app:staging', 'flags:production:', 'flags:staging:'].map(async (place) => (await ledgerAt(place))?.state),
        ),
      }).toEqual({
        hash: { ...all, foreign },
        flags: { ...all, foreign },
        file: keys.map((key) => `${key.toUpperCase()}=${word}`).join('\n'),
        ledgers: ['committed', 'committed', 'committed', 'committed'],
      });
      const ledger = JSON.parse(await readFile(join(world.files, `.${environment}.env.vartrack`), 'utf8')) as Ledger;
      expect(ledger.state).toBe('committed');
    }
    expect(await readFile(join(world.files, 'neighbour.env'), 'utf8')).toBe('THEIRS=1\n');
  }

  async function ledgerAt(place: string): Promise<Ledger | null> {
    return JSON.parse((await redis.get(placeKeys(place).ledger)) ?? 'null') as Ledger | null;
  }

  return { act, comeToRest, expectTruth: () => expectTruthOf(world, disturbed) };
}

function branchOf(branch: Branch): RefEvent {
  return branch === 'main' ? MAIN : DEVELOP;
}

function pick(contents: ReadonlyMap<string, Content>, index: number): string {
  const all = [...contents.keys()];
  return all[index % all.length] ?? '';
}

function newestOf(tags: ReadonlyMap<string, string>): { readonly name: string; readonly at: string } | undefined {
  const name = ['v10', 'v2', 'v1'].find((each) => tags.has(each));
  return name === undefined ? undefined : { name, at: tags.get(name) ?? '' };
}
