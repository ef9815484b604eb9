import type { Payload } from '@temporalio/common';
import { InvalidInput } from '../domain/problem.ts';
import { driftStateQuery, driftWorkflowId } from '../workflows/messages.ts';
import { parseCodecKeys } from './codec-key.ts';
import { codecKeyIdOf } from './payload-codec.ts';
import { createDataConverter, type Temporal } from './temporal.ts';

const ENCRYPTED = 'binary/encrypted';
const NOT_FOUND = 5;
const WORKER_ANSWERS_WITHIN_MS = 5_000;

/**
 * Reads the first event of the tenant's DriftWatch workflow, which a worker or an api has started, with our keys, before anything is sent. A message that
 * workers cannot decrypt is worse than none: Temporal hands it to them again and again, and the stream stands still until its run is terminated.
 * Where that event is of an older key than ours a rotation goes on, and a worker is asked whether it has the new one. Throws where a key is missing.
 */
export async function checkCodecKey(temporal: Temporal, tenant: string, codecKey: string | undefined): Promise<'agreed' | 'nothing to compare with'> {
  const { connection, namespace } = temporal;
  const execution = { workflowId: driftWorkflowId(tenant) };
  let history;
  try {
    ({ history } = await connection.workflowService.getWorkflowExecutionHistory({ namespace, execution, maximumPageSize: 1 }));
  } catch (error) {
    // No deployment has begun with this tenant, so there is no key to agree with.
    if (error instanceof Error && 'code' in error && error.code === NOT_FOUND) return 'nothing to compare with';
    throw error;
  }
  const payloads: Payload[] = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  const used = payloads.map(codecKeyIdOf).filter((id) => id !== undefined);
  const codec = createDataConverter(codecKey).payloadCodecs?.[0];
  if (codec) await codec.decode(payloads, { type: 'workflow', namespace, ...execution });
  else if (used.length > 0) throw new Error(`Unknown encoding: ${ENCRYPTED}`);
  const newest = parseCodecKeys(codecKey ?? '')[0]?.id;
  if (newest !== undefined && used.some((id) => id !== newest)) await askWorker(temporal, execution.workflowId, newest);
  return 'agreed';
}

/**
 * By queries, which leave nothing behind. A worker that cannot decrypt the argument of one fails, or does not answer at all; then another one, without an
 * argument, tells whether there is a worker. Where there is none, none can be harmed.
 */
async function askWorker({ client }: Temporal, workflowId: string, newest: string): Promise<void> {
  const watch = client.workflow.getHandle(workflowId);
  async function isAnswered(...args: readonly string[]): Promise<boolean> {
    const answer = client.withDeadline(Date.now() + WORKER_ANSWERS_WITHIN_MS, () => watch.query<unknown, string[]>(driftStateQuery.name, ...args));
    return answer.then(
      () => true,
      () => false,
    );
  }
  if ((await isAnswered('can you read this?')) || !(await isAnswered())) return;
  const why = `workers do not have its first key, ${newest}; give it to them as their second key before`;
  throw new InvalidInput([{ message: `environment variable VARTRACK_CODEC_KEY: ${why}` }]);
}
