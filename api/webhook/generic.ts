import { genericEventSchema } from '../../schemas/webhook/generic.ts';
import { headerOf, pullRequestEvent, pushEvent, type NamedRepository, type WebhookEvent, type WebhookProvider } from './event.ts';
import { isSignedHex } from './signature.ts';

/** varTrack's own shape (docs/webhooks.md), for what has no provider of its own. */
export const generic: WebhookProvider = {
  verify: (headers, body, secret) => isSignedHex(headerOf(headers, 'x-signature'), 'sha256=', secret, body),
  deliveryId: (headers) => headerOf(headers, 'x-delivery'),
  eventName: () => 'generic',
  parse: (_headers, body) => parse(body),
};

function parse(body: unknown): WebhookEvent {
  const event = genericEventSchema.parse(body);
  const repository: NamedRepository = event.repository.includes(':') ? { fullName: '', urls: [event.repository] } : { fullName: event.repository, urls: [] };
  const { commit, by } = event;
  if ('ref' in event) return pushEvent(repository, { ref: event.ref, deleted: event.deleted ?? false, commit, by });
  const { number, branch, state } = event.pullRequest;
  const change = state === 'open' ? 'moved' : 'closed';
  return pullRequestEvent(repository, { number, branch, commit, change, by, fromFork: false });
}
