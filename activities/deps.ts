import type { Client } from '@temporalio/client';
import type { Git } from '../clients/git.ts';
import type { SecretManagers } from '../clients/vault/managers.ts';
import type { Bundle } from '../domain/bundle.ts';
import type { Fingerprint } from '../domain/ledger.ts';
import type { Pause } from '../workflows/messages.ts';
import type { DesiredStates } from './desired-state.ts';
import type { SinkPool } from './sink-pool.ts';

/** What the activities work with; made once per worker. */
export interface ActivityDeps {
  /** The bundle in force. */
  readonly bundle: () => Bundle;
  readonly git: Git;
  readonly sinks: SinkPool;
  /** Where secrets are read, inside a write and nowhere else (I8). */
  readonly secrets: SecretManagers;
  readonly desired: DesiredStates;
  readonly fingerprint: Fingerprint;
  /** The pause of a tenant, read where a worker is not needed (I12). Throws when it cannot be told. */
  readonly pauseOf: (tenant: string) => Promise<Pause | null>;
  readonly client: Client;
  readonly taskQueue: string;
  readonly now: () => Date;
}
