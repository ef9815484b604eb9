import { createHmac } from 'node:crypto';

/** Where a repository's webhooks go, and what signs them. */
export interface Hook {
  readonly url: string;
  readonly secret: string;
  /** Address of the repository as the bundle has it. */
  readonly repository: string;
}

export interface Delivery {
  /** A repeated delivery repeats it. */
  readonly id: string;
  readonly ref: string;
  readonly commit: string;
  readonly by: string;
}

export interface Answer {
  readonly code: number;
  readonly status: string;
  readonly why?: string;
  readonly workflowId?: string;
  readonly runId?: string;
  readonly links?: { readonly ui?: string };
}

/** Sends what a forge sends after a push, see docs/webhooks.md. */
export async function sendWebhook(hook: Hook, delivery: Delivery): Promise<Answer> {
  const body = JSON.stringify({ repository: hook.repository, ref: delivery.ref, commit: delivery.commit, by: delivery.by });
  const signature = createHmac('sha256', hook.secret).update(body).digest('hex');
  const response = await fetch(hook.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-delivery': delivery.id, 'x-signature': `sha256=${signature}` },
    body,
    signal: AbortSignal.timeout(15_000),
  });
  return { ...((await response.json()) as Omit<Answer, 'code'>), code: response.status };
}
