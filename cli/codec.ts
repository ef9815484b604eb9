import { setTimeout as delay } from 'node:timers/promises';
import { makeCodecKey, parseCodecKeys } from '../clients/codec-key.ts';
import { codecKeyUse, keysOfRun, type RunKeys } from '../clients/codec-key-use.ts';
import type { Temporal } from '../clients/temporal.ts';
import { driftWorkflowId, renewSignal } from '../workflows/messages.ts';
import { CliError } from './cli-error.ts';
import { formatTable } from './format-table.ts';
import type { CommandResult } from './run-command.ts';
import { loadSettings } from './settings.ts';
import { withTemporal } from './with-temporal.ts';

interface CodecOptions {
  readonly bundle?: string;
}

/** What one key is needed for. */
interface KeyStatus {
  readonly id: string;
  /** What the first key of VARTRACK_CODEC_KEY does, what the others do, and one that is not in it. */
  readonly here: 'encrypts' | 'decrypts' | 'missing';
  /** Ids of workflows that are open and have payloads of it. */
  readonly open: readonly string[];
  /** Runs that have ended and that Temporal still keeps. */
  readonly closed: number;
  /** ISO 8601: when the last of those ended. */
  readonly lastClosedAt?: string;
}

const RENEWED_WITHIN_MS = 30_000;
const READ_INTERVAL_MS = 200;
const MOST_NAMES = 5;

/** `vartrack codec key`: a new key. */
export async function runCodecKey(): Promise<CommandResult> {
  const key = makeCodecKey();
  return { exit: 'ok', json: { key, id: parseCodecKeys(key)[0]?.id }, text: key };
}

/** `vartrack codec status`: which keys are still needed, and by what. */
export async function runCodecStatus(options: CodecOptions): Promise<CommandResult> {
  const { codecKey, taskQueue } = await loadSettings(options.bundle);
  return withTemporal(codecKey, async (temporal) => {
    const keys = await statusOfKeys(temporal, taskQueue, codecKey);
    return { exit: 'ok', json: { keys }, text: formatKeys(keys) };
  });
}

/** `vartrack codec rotate`: lets every DriftWatch run, which is as old as its tenant, go on in a new one that is encrypted with the newest key. */
export async function runCodecRotate(options: CodecOptions): Promise<CommandResult> {
  const { bundle, codecKey, taskQueue } = await loadSettings(options.bundle);
  const newest = parseCodecKeys(codecKey ?? '')[0]?.id;
  if (newest === undefined) throw new CliError('rejected', 'there is no key to rotate to; set VARTRACK_CODEC_KEY as api and worker have it');
  return withTemporal(codecKey, async (temporal) => {
    const renewed: string[] = [];
    for (const tenant of Object.keys(bundle.tenants)) {
      const before = await keysOfRun(temporal, { workflowId: driftWorkflowId(tenant) });
      if (before === undefined || before.closedAt !== undefined || needsOnly(before, newest)) continue;
      await renew(temporal, before, newest, taskQueue);
      renewed.push(tenant);
    }
    const keys = await statusOfKeys(temporal, taskQueue, codecKey);
    const what = renewed.length === 0 ? `nothing to renew: every tenant goes on with key ${newest}` : `renewed with key ${newest}: ${renewed.join(', ')}`;
    return { exit: 'ok', json: { renewed, keys }, text: `${what}\n${formatKeys(keys)}` };
  });
}

function needsOnly(run: RunKeys, keyId: string): boolean {
  return run.keyIds.every((id) => id === keyId);
}

async function renew(temporal: Temporal, { workflowId, runId }: RunKeys, newest: string, taskQueue: string): Promise<void> {
  await temporal.client.workflow.getHandle(workflowId).signal(renewSignal);
  const deadline = Date.now() + RENEWED_WITHIN_MS;
  for (;;) {
    const now = await keysOfRun(temporal, { workflowId });
    if (now && now.runId !== runId) {
      if (needsOnly(now, newest)) return;
      throw new CliError(
        'failed',
        `workers encrypt with key ${now.keyIds.filter((id) => id !== newest).join(', ')}; put key ${newest} first in theirs, then ask again`,
      );
    }
    if (Date.now() > deadline) {
      throw new CliError(
        'failed',
        `the message to ${workflowId} is stored, but no worker has taken it within ${RENEWED_WITHIN_MS / 1000} s; it takes effect when one runs on the task queue "${taskQueue}"`,
      );
    }
    await delay(READ_INTERVAL_MS);
  }
}

async function statusOfKeys(temporal: Temporal, taskQueue: string, codecKey: string | undefined): Promise<readonly KeyStatus[]> {
  const here = parseCodecKeys(codecKey ?? '').map(({ id }) => id);
  const uses = new Map(here.map((id) => [id, { open: new Set<string>(), closedAt: [] as string[] }]));
  for await (const { workflowId, closedAt, keyIds } of codecKeyUse(temporal, taskQueue)) {
    for (const id of keyIds) {
      const use = uses.get(id) ?? { open: new Set(), closedAt: [] };
      uses.set(id, use);
      if (closedAt === undefined) use.open.add(workflowId);
      else use.closedAt.push(closedAt);
    }
  }
  return [...uses].map(([id, { open, closedAt }]) => {
    const lastClosedAt = closedAt.toSorted().at(-1);
    const place = here.indexOf(id);
    return {
      id,
      here: place === 0 ? 'encrypts' : place > 0 ? 'decrypts' : 'missing',
      open: [...open].toSorted(),
      closed: closedAt.length,
      ...(lastClosedAt !== undefined && { lastClosedAt }),
    };
  });
}

function formatKeys(keys: readonly KeyStatus[]): string {
  if (keys.length === 0) return 'nothing is encrypted, and VARTRACK_CODEC_KEY is not set';
  const rows = keys.map(({ id, here, open, closed, lastClosedAt }) => [id, here, String(open.length), String(closed), lastClosedAt ?? '']);
  return [...formatTable(['KEY', 'HERE', 'OPEN', 'ENDED', 'LAST ENDED'], rows), '', ...keys.flatMap(adviceOn)].join('\n');
}

function adviceOn({ id, here, open, closed }: KeyStatus): readonly string[] {
  if (here === 'encrypts') return [];
  const names = open.length > MOST_NAMES ? `${open.slice(0, MOST_NAMES).join(', ')} and ${open.length - MOST_NAMES} more` : open.join(', ');
  if (here === 'missing') return [`key ${id} is not in VARTRACK_CODEC_KEY, but needed by ${open.length > 0 ? names : `runs that have ended (${closed})`}`];
  if (open.length > 0) return [`keep key ${id}: it is needed by ${names}`];
  if (closed > 0) return [`keep key ${id} while runs that have ended are to be read: Temporal deletes them at the end of its retention`];
  return [`key ${id} may be dropped: nothing that Temporal keeps needs it`];
}
