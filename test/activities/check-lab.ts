import { MockActivityEnvironment } from '@temporalio/testing';
import { Redis } from 'ioredis';
import { createCheckMemory } from '../../activities/check-memory.ts';
import type { CheckTenantInput } from '../../activities/activity-types.ts';
import { checkTenant, type CheckDeps } from '../../activities/check-tenant.ts';
import type { CheckedTarget, TenantCheck } from '../../domain/drift.ts';
import type { Ledger } from '../../domain/ledger.ts';
import type { WorkerParts } from '../../worker/create-worker.ts';
import { startRedis, type RedisServer } from '../servers/redis.ts';
import { openStack, type Stack, type StackOptions } from '../product/stack.ts';

/** Checks of a real tenant, without a watch that acts on what they find, and with a count of what they did. */
export interface CheckLab {
  readonly stack: Stack;
  readonly client: Redis;
  readonly redis: RedisServer;
  readonly counts: Counts;
  readonly deps: CheckDeps;
  check(input?: Partial<CheckTenantInput>): Promise<TenantCheck>;
  /** One target by its id. */
  checkOne(id: string): Promise<CheckedTarget | undefined>;
  /** As after a restart of the worker. */
  forget(): void;
  ledgerOf(place: string): Promise<Ledger>;
  setLedger(place: string, ledger: Ledger | null): Promise<void>;
  close(): Promise<void>;
}

export interface Counts {
  heads: number;
  otherGit: number;
  desired: number;
  reads: number;
}

export async function openCheckLab(options: (redis: RedisServer) => StackOptions): Promise<CheckLab> {
  const redis = await startRedis();
  const client = new Redis(redis.url);
  const stack = await openStack(options(redis));
  // What it would heal is what these tests look at.
  await stack.temporal.client.workflow.getHandle(`drift/${stack.tenant}`).terminate('the test checks by itself');
  const parts = await stack.workerParts();
  const counts: Counts = { heads: 0, otherGit: 0, desired: 0, reads: 0 };
  let deps = counting(parts, counts);

  const lab: CheckLab = {
    stack,
    client,
    redis,
    counts,
    get deps() {
      return deps;
    },
    async check(input = {}) {
      const whole: CheckTenantInput = { tenant: stack.tenant, groups: [], polls: [], targets: [], secretVersions: {}, ...input };
      const check = await inActivity(() => checkTenant(deps, whole));
      if (check.kind === 'gone') throw new Error('the tenant is gone');
      return check;
    },
    async checkOne(id) {
      const { targets } = await lab.check({ targets: [id] });
      return targets.find((target) => target.id === id);
    },
    forget() {
      deps = counting(parts, counts);
    },
    async ledgerOf(place) {
      return JSON.parse((await client.get(`{${place}}:vartrack`)) ?? 'null') as Ledger;
    },
    async setLedger(place, ledger) {
      if (ledger) await client.set(`{${place}}:vartrack`, JSON.stringify(ledger));
      else await client.del(`{${place}}:vartrack`);
    },
    async close() {
      await parts.close();
      await stack.close();
      client.disconnect();
      await redis.stop();
    },
  };
  return lab;
}

export function inActivity<T>(act: () => Promise<T>): Promise<T> {
  return new MockActivityEnvironment().run(act);
}

function counting({ deps }: WorkerParts, counts: Counts): CheckDeps {
  const { git, desired, sinks } = deps;
  const counted = {
    ...git,
    heads: (...args: Parameters<typeof git.heads>) => (counts.heads++, git.heads(...args)),
    fetch: (...args: Parameters<typeof git.fetch>) => (counts.otherGit++, git.fetch(...args)),
    touched: (...args: Parameters<typeof git.touched>) => (counts.otherGit++, git.touched(...args)),
    isAncestor: (...args: Parameters<typeof git.isAncestor>) => (counts.otherGit++, git.isAncestor(...args)),
  };
  return {
    ...deps,
    git: counted,
    memory: createCheckMemory(counted),
    desired: {
      ...desired,
      recall: (...args: Parameters<typeof desired.recall>) => (counts.desired++, desired.recall(...args)),
      compute: (...args: Parameters<typeof desired.compute>) => (counts.desired++, desired.compute(...args)),
    },
    sinks: {
      ...sinks,
      async get(...args) {
        const sink = await sinks.get(...args);
        return { ...sink, read: (...read: Parameters<typeof sink.read>) => (counts.reads++, sink.read(...read)) };
      },
    },
  };
}
