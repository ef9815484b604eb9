import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Provider } from '../../domain/bundle.ts';

export const SECRET = 'correct horse battery staple';
export const GITLAB_SIGNING_TOKEN = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;

export interface Delivery {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** A payload as the forge documents it. */
export function fixture(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(`webhook/fixtures/${name}.json`, import.meta.url), 'utf8')) as Record<string, unknown>;
}

/** What the forge would send: its headers and its signature over the bytes. */
export function delivery(provider: Provider, event: string, payload: unknown, secret = SECRET, id: string = randomUUID()): Delivery {
  const body = Buffer.from(JSON.stringify(payload));
  return { body, headers: { 'content-type': 'application/json', ...signedHeaders(provider, event, body, secret, id) } };
}

export function hexHmac(body: Buffer, secret: string): string {
  return createHmac('sha256', secret).update(body).digest('hex');
}

function signedHeaders(provider: Provider, event: string, body: Buffer, secret: string, id: string): Record<string, string> {
  const hex = hexHmac(body, secret);
  switch (provider) {
    case 'github':
      return { 'x-github-event': event, 'x-github-delivery': id, 'x-hub-signature-256': `sha256=${hex}` };
    case 'gitea':
      return { 'x-gitea-event': event, 'x-gitea-delivery': id, 'x-gitea-signature': hex, 'x-github-event': event, 'x-hub-signature-256': `sha256=${hex}` };
    case 'forgejo':
      return { 'x-forgejo-event': event, 'x-forgejo-delivery': id, 'x-forgejo-signature': hex, 'x-gitea-event': event, 'x-gitea-signature': hex };
    case 'gitlab':
      return { 'x-gitlab-event': event, 'idempotency-key': id, 'x-gitlab-token': secret };
    case 'bitbucket':
      return { 'x-event-key': event, 'x-request-uuid': id, 'x-hub-signature': `sha256=${hex}` };
    case 'generic':
      return { 'x-delivery': id, 'x-signature': `sha256=${hex}` };
  }
}

/** GitLab with a signing token. */
export function standardWebhook(event: string, payload: unknown, token: string, timestampMs: number, id: string = randomUUID()): Delivery {
  const body = Buffer.from(JSON.stringify(payload));
  const timestamp = String(Math.floor(timestampMs / 1000));
  const key = Buffer.from(token.slice('whsec_'.length), 'base64');
  const signature = `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
  const signed = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
  return { body, headers: { 'content-type': 'application/json', 'x-gitlab-event': event, ...signed } };
}
