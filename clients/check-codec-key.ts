import { driftWorkflowId } from '../workflows/messages.ts';
import { createDataConverter, type Temporal } from './temporal.ts';

const ENCRYPTED = 'binary/encrypted';
const NOT_FOUND = 5;

/**
 * Reads the first event of the tenant's DriftWatch workflow, which a worker or an api has started, with our key, before anything is sent. A message that
 * workers cannot decrypt is worse than none: Temporal hands it to them again and again, and the stream stands still until its run is terminated.
 * Throws where the key is another.
 */
export async function checkCodecKey(
  { connection, namespace }: Temporal,
  tenant: string,
  codecKey: string | undefined,
): Promise<'agreed' | 'nothing to compare with'> {
  const execution = { workflowId: driftWorkflowId(tenant) };
  let history;
  try {
    ({ history } = await connection.workflowService.getWorkflowExecutionHistory({ namespace, execution, maximumPageSize: 1 }));
  } catch (error) {
    // No deployment has begun with this tenant, so there is no key to agree with.
    if (error instanceof Error && 'code' in error && error.code === NOT_FOUND) return 'nothing to compare with';
    throw error;
  }
  const payloads = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  const isEncrypted = payloads.some(({ metadata }) => Buffer.from(metadata?.['encoding'] ?? []).toString() === ENCRYPTED);
  const codec = createDataConverter(codecKey).payloadCodecs?.[0];
  if (codec) await codec.decode(payloads, { type: 'workflow', namespace, ...execution });
  else if (isEncrypted) throw new Error(`Unknown encoding: ${ENCRYPTED}`);
  return 'agreed';
}
