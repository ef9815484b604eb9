import { setTimeout as delay } from 'node:timers/promises';
import type { CredentialReference } from '../../domain/bundle.ts';
import { SinkError, type SinkErrorReason } from '../errors.ts';
import { credentialFailure } from '../read-credential.ts';
import type { ResolveCredential } from '../sink.ts';

const ATTEMPTS = 3;

/**
 * Calls a deploy hook, whose URL is a credential: it is in no message. A deployment too many does no harm, so a call whose answer was lost is made again.
 */
export async function redeploy(label: string, hook: CredentialReference, resolve: ResolveCredential, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const failed = (why: string, reason: SinkErrorReason = 'unavailable'): SinkError =>
    new SinkError(reason, `${label}: the variables are written, but no deployment was started: ${why}; start one by hand`);
  const url = await resolve(hook).catch((error: unknown) => {
    const { reason, message } = credentialFailure('the URL of the hook', error);
    throw failed(message, reason);
  });
  if (!URL.canParse(url.trim())) throw failed('the credential of redeploy is no URL');
  for (let attempt = 1; ; attempt++) {
    const why = await callOnce(url.trim(), AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    if (why === null) return;
    if (attempt === ATTEMPTS || signal.aborted) throw failed(why);
    await delay(200 * attempt, undefined, { signal }).catch(() => undefined);
  }
}

async function callOnce(url: string, signal: AbortSignal): Promise<string | null> {
  try {
    const answer = await fetch(url, { method: 'POST', signal, headers: { connection: 'close' } });
    await answer.body?.cancel();
    return answer.ok ? null : `the deploy hook answered ${answer.status}`;
  } catch {
    return 'the deploy hook did not answer';
  }
}
