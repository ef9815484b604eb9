import type { IncomingHttpHeaders } from 'node:http';
import { bitbucketPullRequestSchema, bitbucketPushSchema, type BitbucketRepository } from '../../schemas/webhook/bitbucket.ts';
import { byOf, headerOf, ignored, pullRequestEvent, type NamedRepository, type RefChange, type WebhookEvent, type WebhookProvider } from './event.ts';
import { isSignedHex } from './signature.ts';

/** Bitbucket Cloud. https://support.atlassian.com/bitbucket-cloud/docs/event-payloads */
export const bitbucket: WebhookProvider = {
  verify: (headers, body, secret) => isSignedHex(headerOf(headers, 'x-hub-signature'), 'sha256=', secret, body),
  deliveryId: (headers) => headerOf(headers, 'x-request-uuid'),
  eventName,
  parse,
};

function eventName(headers: IncomingHttpHeaders): string {
  return headerOf(headers, 'x-event-key') ?? 'none';
}

function parse(headers: IncomingHttpHeaders, body: unknown): WebhookEvent {
  const event = eventName(headers);
  if (event === 'repo:push') return parsePush(body);
  const change = CHANGES[event];
  if (!change) return ignored('the event is not about a ref');
  const { repository, actor, pullrequest } = bitbucketPullRequestSchema.parse(body);
  const { source } = pullrequest;
  return pullRequestEvent(nameOf(repository), {
    number: pullrequest.id,
    branch: source.branch.name,
    commit: source.commit?.hash,
    // `updated` also tells of a new title; the run that follows then finds nothing to write.
    change,
    by: actor?.nickname ?? actor?.display_name,
    fromFork: source.repository?.full_name.toLowerCase() !== repository.full_name.toLowerCase(),
  });
}

function parsePush(body: unknown): WebhookEvent {
  const { repository, actor, push } = bitbucketPushSchema.parse(body);
  const named = nameOf(repository);
  const changes = push.changes.flatMap(({ new: pushed }): RefChange[] => {
    if (pushed?.type !== 'branch' && pushed?.type !== 'tag') return [];
    return [{ kind: 'moved', ref: { kind: pushed.type, name: pushed.name }, commit: pushed.target.hash }];
  });
  if (changes.length === 0) return ignored('a deleted branch or tag removes nothing', named);
  return { kind: 'changes', repository: named, changes, ...byOf(actor?.nickname ?? actor?.display_name) };
}

const CHANGES: Readonly<Record<string, 'moved' | 'closed'>> = {
  'pullrequest:created': 'moved',
  'pullrequest:updated': 'moved',
  'pullrequest:fulfilled': 'closed',
  'pullrequest:rejected': 'closed',
};

function nameOf(repository: BitbucketRepository): NamedRepository {
  const url = repository.links?.html?.href;
  return { fullName: repository.full_name, urls: url === undefined ? [] : [url] };
}
