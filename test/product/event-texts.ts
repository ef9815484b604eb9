import type { Client } from '@temporalio/client';

/** Every event of a run as text, its payloads decoded where they are not encrypted: what somebody who reads Temporal sees. */
export async function eventTexts(client: Client, workflowId: string, runId?: string): Promise<string> {
  const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  return JSON.stringify(events, (name, value: unknown) => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString();
    // Protobuf's own JSON writes bytes as base64.
    return name === 'data' && typeof value === 'string' ? `${value} ${Buffer.from(value, 'base64').toString()}` : value;
  });
}
