import type { IncomingHttpHeaders } from 'node:http';
import { headerOf, type WebhookProvider } from './event.ts';
import { parseGithubEvent } from './github.ts';
import { isSignedHex } from './signature.ts';

/** https://docs.gitea.com/usage/webhooks: GitHub's payloads, and a signature that is bare hex. */
export const gitea: WebhookProvider = {
  verify: (headers, body, secret) => isSignedHex(headerOf(headers, 'x-gitea-signature'), '', secret, body),
  deliveryId: (headers) => headerOf(headers, 'x-gitea-delivery'),
  eventName,
  parse: (headers, body) => parseGithubEvent(eventName(headers), body),
};

function eventName(headers: IncomingHttpHeaders): string {
  return headerOf(headers, 'x-gitea-event') ?? 'none';
}
