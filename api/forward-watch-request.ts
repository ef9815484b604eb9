import type { Client } from '@temporalio/client';
import { tellDriftWatch } from '../clients/drift-watch.ts';
import type { WatchRequest } from '../schemas/watch-request.ts';
import { checkNowSignal, forceHealSignal, pauseSignal, resumeSignal } from '../workflows/messages.ts';

/** Hands a request to the tenant's DriftWatch workflow as the signal that it means. Temporal has it then, whatever becomes of this process. */
export async function forwardWatchRequest(
  client: Client,
  watch: { readonly tenant: string; readonly taskQueue: string },
  request: WatchRequest,
): Promise<void> {
  switch (request.kind) {
    case 'pause': {
      const { by, reason, until } = request;
      return tellDriftWatch(client, watch, pauseSignal, { by, reason, ...(until !== undefined && { until }) });
    }
    case 'resume':
      return tellDriftWatch(client, watch, resumeSignal, { by: request.by });
    case 'heal': {
      const { kind: _kind, ...asked } = request;
      return tellDriftWatch(client, watch, forceHealSignal, asked);
    }
    case 'check':
      return tellDriftWatch(client, watch, checkNowSignal, request.targets === undefined ? {} : { targets: request.targets });
  }
}
