import type { IncomingHttpHeaders } from 'node:http';
import { githubOtherSchema, githubPullRequestSchema, githubPushSchema, type GithubRepository } from '../../schemas/webhook/github.ts';
import { headerOf, ignored, isZeroCommit, pullRequestEvent, pushEvent, type NamedRepository, type WebhookEvent, type WebhookProvider } from './event.ts';
import { isSignedHex } from './signature.ts';

/** https://docs.github.com/webhooks/webhook-events-and-payloads */
export const github: WebhookProvider = {
  verify: (headers, body, secret) => isSignedHex(headerOf(headers, 'x-hub-signature-256'), 'sha256=', secret, body),
  deliveryId: (headers) => headerOf(headers, 'x-github-delivery'),
  eventName,
  parse: (headers, body) => parseGithubEvent(eventName(headers), body),
};

function eventName(headers: IncomingHttpHeaders): string {
  return headerOf(headers, 'x-github-event') ?? 'none';
}

/** Gitea and Forgejo send the same shapes under the same names. */
export function parseGithubEvent(event: string, body: unknown): WebhookEvent {
  switch (event) {
    case 'push': {
      const push = githubPushSchema.parse(body);
      return pushEvent(nameOf(push.repository), { ref: push.ref, deleted: isZeroCommit(push.after), commit: push.after, by: push.sender?.login });
    }
    case 'pull_request':
    case 'pull_request_sync': {
      const { action, number, pull_request, repository, sender } = githubPullRequestSchema.parse(body);
      return pullRequestEvent(nameOf(repository), {
        number,
        branch: pull_request.head.ref,
        commit: pull_request.head.sha,
        change: CHANGES[action] ?? null,
        by: sender?.login,
        fromFork: pull_request.head.repo?.full_name.toLowerCase() !== repository.full_name.toLowerCase(),
      });
    }
    default: {
      const { repository } = githubOtherSchema.parse(body);
      return ignored(event === 'ping' ? 'ping' : 'the event is not about a ref', repository && nameOf(repository));
    }
  }
}

// GitHub says `synchronize`, Gitea and Forgejo `synchronized`.
const CHANGES: Readonly<Record<string, 'moved' | 'closed'>> = {
  opened: 'moved',
  reopened: 'moved',
  synchronize: 'moved',
  synchronized: 'moved',
  closed: 'closed',
};

function nameOf(repository: GithubRepository): NamedRepository {
  return { fullName: repository.full_name, urls: [repository.clone_url, repository.ssh_url].filter((url) => url !== undefined) };
}
