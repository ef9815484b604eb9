import type { IncomingHttpHeaders } from 'node:http';
import { headerOf, type WebhookProvider } from './event.ts';
import { parseGithubEvent } from './github.ts';
import { isSignedHex } from './signature.ts';

/** https://forgejo.org/docs/latest/user/webhooks: as Gitea, under its own header names; a hook of type "Gitea" has only Gitea's. */
export const forgejo: WebhookProvider = {
  verify: (headers, body, secret) => isSignedHex(either(headers, 'signature'), '', secret, body),
  deliveryId: (headers) => either(headers, 'delivery'),
  eventName,
  parse: (headers, body) => parseGithubEvent(eventName(headers), body),
};

function eventName(headers: IncomingHttpHeaders): string {
  return either(headers, 'event') ?? 'none';
}

/** A wrong Forgejo header is not rescued by a right one of Gitea. */
function either(headers: IncomingHttpHeaders, name: string): string | null {
  return headerOf(headers, `x-forgejo-${name}`) ?? headerOf(headers, `x-gitea-${name}`);
}
