import { afterAll, beforeAll, describe } from 'vitest';
import type { DesiredEntry } from '../../domain/plan.ts';
import type { Place, Sink, SinkDefinition } from '../../sinks/sink.ts';
import type { Address } from '../faults/tcp-proxy.ts';
import { cutCases, type Cut } from './contract/cuts.ts';
import { failureCases } from './contract/failures.ts';
import { faultCases } from './contract/faults.ts';
import { ownershipCases } from './contract/ownership.ts';
import { raceCases } from './contract/races.ts';
import { removalCases } from './contract/removing.ts';
import { restoreCases } from './contract/restoring.ts';
import { createScenarios } from './contract/scenario.ts';
import { valueCases } from './contract/values.ts';
import { canWatch, watchCases } from './contract/watch.ts';
import { writingCases } from './contract/writing.ts';

/** One layout of one kind, as the suite runs it against a real server. */
export interface ContractLeg {
  readonly definition: SinkDefinition;
  /** The destination in the bundle, without `sink` and `place`: `{ layout: 'hash' }`. */
  readonly destination: Readonly<Record<string, unknown>>;
  /** Names out of {@link nastyValues} that `render` refuses here; everything else must be taken. */
  readonly refuses?: readonly string[];
  /**
   * `together`: the nasty names and values are written, changed, read and undone in one place at once, which finds the same and takes a tenth of the time.
   * For legs that differ from one with a case for each only in the format, which test/clients/formats tries value by value, or whose every write is dear.
   */
  readonly values?: 'together';
  /**
   * `format`: the leg differs from another only in the text of its document. What never looks into that text is not tried again: who may write when, what
   * is left when a target is given up, and what fails.
   */
  readonly differs?: 'format';
  /** `shared`: the cases that need no connection of their own have one between them, where each takes a handshake that costs more than the case. */
  readonly connections?: 'shared';
  /** How much the "large" cases write; 10,000 keys and a value of 1,000,000 characters unless the system takes less. */
  readonly large?: { readonly keys?: number; readonly characters?: number };
  /** Faults that cannot be staged for this leg, and why. */
  readonly cannot?: Partial<Record<Fault | 'outage' | 'late request' | 'watch', string>>;
  /** Whether the bench has `connectCut`; the calls of the driver to its server are then cut one after the other. */
  readonly cuts?: boolean;
  /**
   * Whether the bench has `connectThrough`; the network between the driver and its server is then broken in every way at many steps, or, where each call
   * takes long, at a few.
   */
  readonly faults?: boolean | 'few';
  start(): Promise<Bench>;
}

export type Fault =
  /** The server refuses who we say we are. */
  | 'wrong-credentials'
  /** We are known and may not even read the place. */
  | 'no-permission'
  /** We may read the place and not write it. */
  | 'read-only'
  /** Nothing listens where the server should be. */
  | 'gone'
  /** Somebody listens and never answers; the sink's own time limits are set to a few seconds. */
  | 'silent';

/** A running server and what a stranger with full access can see and do there. */
export interface Bench {
  /** A new connection with good credentials. The suite closes it. */
  connect(): Promise<Sink>;
  /** Like `connect`, every call of the driver to its server going through `cut`. */
  connectCut?(cut: Cut): Promise<Sink>;
  /** Like `connect`, over the addresses that `via` gives for those of the servers. */
  connectThrough?(via: (server: Address) => Promise<Address>): Promise<Sink>;
  /** The name of a place that no one has used. */
  placeName(): string;
  /** Makes exactly these the values at the place, behind the sink's back: without ledger or undo record. No entries: the place is absent. */
  write(place: Place, entries: readonly DesiredEntry[]): Promise<void>;
  /** Replaces the text of the ledger. */
  writeLedger(place: Place, text: string): Promise<void>;
  look(place: Place): Promise<Look>;
  /** Anything that changes with every write call at the place or server: a counter of commands, inode and time stamps. */
  traceOfWrites(place: Place): Promise<unknown>;
  /** For a place that is owned as a whole: content that the layout cannot parse. */
  spoil?(place: Place): Promise<void>;
  /** A connection with the fault. The place need not exist, except for `read-only`: there `write` was never called. */
  fault(fault: Fault): Promise<{ readonly sink: Sink; readonly place: Place }>;
  /** Takes the server away and brings it back (with or without its data). */
  readonly outage?: { begin(): Promise<void>; end(): Promise<void> };
  stop(): Promise<void>;
}

export interface Look {
  /** Values exactly as stored, and whatever else a restore has to bring back (mode, owner, expiry); null if there is nothing. Compared by deep equality. */
  readonly content: unknown;
  readonly ledger: string | null;
  readonly undo: unknown;
}

/** What every kind and layout has to do, whatever it is made of. A new sink adds a leg, never a case of its own here. */
export function describeSinkContract(name: string, leg: ContractLeg): void {
  describe(name, () => {
    let bench: Bench | undefined;
    beforeAll(async () => {
      bench = await leg.start();
    });
    afterAll(async () => {
      await scenarios.close();
      await bench?.stop();
    });
    const scenarios = createScenarios(leg, () => {
      if (!bench) throw new Error('the bench has not started');
      return bench;
    });
    describe('writing', () => writingCases(scenarios));
    describe('ownership', () => ownershipCases(scenarios));
    describe('restoring', () => restoreCases(scenarios));
    if (leg.cuts === true) describe('cuts', () => cutCases(scenarios));
    if (leg.faults) describe('faults', () => faultCases(scenarios));
    describe('values', () => valueCases(scenarios));
    if (canWatch(leg)) describe('watching', () => watchCases(scenarios));
    if (leg.differs === 'format') return;
    describe('races', () => raceCases(scenarios));
    describe('removing', () => removalCases(scenarios));
    describe('failures', () => failureCases(scenarios));
  });
}
