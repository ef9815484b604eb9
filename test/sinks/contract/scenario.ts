import { createHash, randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { expect, onTestFinished } from 'vitest';
import type { Ledger, Owner } from '../../../domain/ledger.ts';
import { decodeLedger } from '../../../domain/ledger.ts';
import { plan, planRemoval, type DesiredEntry, type LiveState, type Plan, type Policy, type RenderedEntry, type WritePlan } from '../../../domain/plan.ts';
import { parsePath, type Value } from '../../../domain/value.ts';
import { SinkError, type SinkErrorReason } from '../../../sinks/errors.ts';
import type { Capabilities, Place, Receipt, Sink, SinkContext } from '../../../sinks/sink.ts';
import type { Bench, ContractLeg, Look } from '../contract.ts';
import { policyOf } from '../../domain/policy-of.ts';

/** Values by dotted path. */
export type Values = Readonly<Record<string, Value>>;

export interface SyncOptions {
  readonly policy?: Partial<Policy>;
  readonly write?: string;
  readonly commit?: string;
  readonly owner?: Owner;
  readonly inputsMoved?: boolean;
}

/** One sink and one fresh place: the stage of one test. */
export interface Scenario {
  readonly sink: Sink;
  readonly place: Place;
  render(values: Values): readonly RenderedEntry[];
  /** What a read gives for these values: null for each where nobody can read them. */
  texts(values: Values): ReadonlyMap<string, string | null>;
  /** A stranger makes exactly these the values at the place. */
  stranger(values: Values): Promise<void>;
  look(): Promise<Look>;
  ledger(): Promise<Ledger | null>;
  read(values?: Values): Promise<LiveState>;
  /** Reads and plans, as the activity does. */
  plan(values: Values, options?: SyncOptions): Promise<Plan>;
  /** Reads and plans what has to be a write. */
  planWrite(values: Values, options?: SyncOptions): Promise<WritePlan>;
  /** The plan that gives the target up. */
  planRemoval(policy?: Partial<Policy>): Promise<Plan>;
  apply(plan: WritePlan, sink?: Sink): Promise<Receipt>;
  restore(generation: number): Promise<Receipt>;
  /** Reads, plans, writes, and proves by a second read that nothing is left to do. */
  sync(values: Values, options?: SyncOptions): Promise<Receipt>;
}

export interface Scenarios {
  readonly leg: ContractLeg;
  readonly layout: string;
  readonly capabilities: Capabilities;
  /** Whether the layout gives values back, so that they can be compared, adopted and put back. */
  readonly readable: boolean;
  bench(): Bench;
  connect(): Promise<Sink>;
  /** On a fresh place; over a connection of its own (or that of the leg, where they are shared), or the given one. */
  begin(through?: Sink): Promise<Scenario>;
  /** Closes what is shared. */
  close(): Promise<void>;
}

/** Part of every secret-looking value of the suite; no error may hold it. */
export const canary = `canary${randomUUID().slice(0, 8)}`;

export const fingerprint = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

export const owner: Owner = { tenant: 'acme', rule: 'settings', environment: 'production' };

export function createScenarios(leg: ContractLeg, bench: () => Bench): Scenarios {
  const fields = leg.definition.destination.parse(leg.destination);
  const capabilities = leg.definition.layouts[fields.layout];
  if (!capabilities) throw new Error(`${leg.definition.kind} has no layout ${fields.layout}`);

  const readable = capabilities.values === 'readable';
  const promised = { ownership: capabilities.ownership, readBack: capabilities.values };

  async function connect(): Promise<Sink> {
    const sink = await bench().connect();
    onTestFinished(() => sink.close());
    return sink;
  }

  let shared: Promise<Sink> | undefined;
  const connectionOfCase = (): Promise<Sink> => (leg.connections === 'shared' ? (shared ??= bench().connect()) : connect());

  async function begin(through?: Sink): Promise<Scenario> {
    const sink = through ?? (await connectionOfCase());
    const place: Place = { name: bench().placeName(), layout: fields.layout, fields };
    expect(leg.definition.placeProblem(place.name, fields, {})).toBeNull();
    const render = (values: Values) => entriesOf(values).map((entry) => leg.definition.render(entry, fields));
    const read = (values: Values = {}) => sink.read(place, contextFor(render(values)));

    async function planFor(values: Values, options: SyncOptions = {}): Promise<Plan> {
      const policy: Policy = policyOf({ ...promised, ...options.policy });
      const desired = {
        entries: render(values),
        owner: options.owner ?? owner,
        stream: 'config/main',
        commit: options.commit ?? 'a'.repeat(40),
        inputsMoved: options.inputsMoved ?? true,
        write: options.write ?? randomUUID(),
        at: '2026-11-24T00:00:00.000Z',
      };
      return plan(desired, await read(values), policy, fingerprint);
    }

    async function planWrite(values: Values, options?: SyncOptions): Promise<WritePlan> {
      const made = await planFor(values, options);
      if (made.kind !== 'write') throw new Error(`expected a write, got ${inspect(made)}`);
      return made;
    }

    async function removal(policy: Partial<Policy> = {}): Promise<Plan> {
      const target = { owner, stream: 'config/main', commit: 'a'.repeat(40), write: randomUUID(), at: '2026-11-24T00:00:00.000Z' };
      return planRemoval(target, await read(), policyOf({ ...promised, ...policy }));
    }

    const apply = (made: WritePlan, through: Sink = sink) => through.apply(place, made, contextFor(made.entries));

    async function sync(values: Values, options?: SyncOptions): Promise<Receipt> {
      const receipt = await apply(await planWrite(values, options));
      expect(await planFor(values, options)).toEqual({ kind: 'unchanged', generation: receipt.generation });
      return receipt;
    }

    return {
      sink,
      place,
      render,
      texts: (values) => new Map(render(values).map(({ key, text }) => [key, readable ? text : null])),
      stranger: (values) => bench().write(place, entriesOf(values)),
      look: () => bench().look(place),
      ledger: async () => {
        const { ledger } = await bench().look(place);
        return ledger === null ? null : decodeLedger(ledger);
      },
      read,
      plan: planFor,
      planWrite,
      planRemoval: removal,
      apply,
      restore: (generation) => sink.restore(place, generation, contextFor([])),
      sync,
    };
  }

  return { leg, layout: fields.layout, capabilities, readable, bench, connect, begin, close: async () => (await shared)?.close() };
}

export function entriesOf(values: Values): readonly DesiredEntry[] {
  return Object.entries(values).map(([path, value]) => ({ path: parsePath(path), value }));
}

export function contextFor(entries: readonly RenderedEntry[], signal: AbortSignal = AbortSignal.timeout(60_000)): SinkContext {
  return { signal, keys: entries.map((entry) => entry.key), fingerprint };
}

/** The SinkError that a call must end in. Also proves that nothing a person or a log could see of it holds a value. */
export async function failure(call: Promise<unknown>, ...reasons: readonly SinkErrorReason[]): Promise<SinkError> {
  const outcome = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!('error' in outcome)) throw new Error(`expected a failure, got ${inspect(outcome.value)}`);
  const { error } = outcome;
  expect(error).toBeInstanceOf(SinkError);
  expect(inspect(error, { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null })).not.toContain(canary);
  const { reason, message } = error as SinkError;
  expect(reasons, message).toContain(reason);
  return error as SinkError;
}

/** Runs `attempt`, and proves that it left every byte at the place as it was. */
export async function untouched<Result>(scenario: Scenario, attempt: () => Promise<Result>): Promise<Result> {
  const before = await scenario.look();
  const result = await attempt();
  expect(await scenario.look()).toEqual(before);
  return result;
}
