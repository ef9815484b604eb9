import type { IncomingHttpHeaders } from 'node:http';
import { gitlabMergeRequestSchema, gitlabPushSchema, type GitlabProject } from '../../schemas/webhook/gitlab.ts';
import { headerOf, ignored, isZeroCommit, pullRequestEvent, pushEvent, type NamedRepository, type WebhookEvent, type WebhookProvider } from './event.ts';
import { equalInConstantTime, isStandardWebhook } from './signature.ts';

/**
 * https://docs.gitlab.com/user/project/integrations/webhooks
 * The secret says which scheme is meant: a signing token (`whsec_…`) signs, anything else is the plain `X-Gitlab-Token`. Taking either for
 * either would let the weaker one stand in for a signature.
 */
export const gitlab: WebhookProvider = {
  verify,
  // X-Gitlab-Webhook-UUID is left out: a retry does not repeat it, and where it names the hook instead, every later push would look repeated.
  deliveryId: (headers) => headerOf(headers, 'webhook-id') ?? headerOf(headers, 'idempotency-key'),
  eventName,
  parse,
};

function verify(headers: IncomingHttpHeaders, body: Buffer, secret: string, nowMs: number): boolean {
  if (secret.startsWith('whsec_')) {
    const [id, timestamp, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => headerOf(headers, name));
    return isStandardWebhook({ id: id ?? null, timestamp: timestamp ?? null, signature: signature ?? null }, secret, body, nowMs);
  }
  const token = headerOf(headers, 'x-gitlab-token');
  return token !== null && secret !== '' && equalInConstantTime(token, secret);
}

function eventName(headers: IncomingHttpHeaders): string {
  return headerOf(headers, 'x-gitlab-event') ?? 'none';
}

function parse(headers: IncomingHttpHeaders, body: unknown): WebhookEvent {
  switch (eventName(headers)) {
    case 'Push Hook':
    case 'Tag Push Hook': {
      const push = gitlabPushSchema.parse(body);
      const commit = push.checkout_sha ?? push.after;
      return pushEvent(nameOf(push.project), { ref: push.ref, deleted: isZeroCommit(push.after), commit, by: push.user_username });
    }
    case 'Merge Request Hook': {
      const { project, user, object_attributes: request } = gitlabMergeRequestSchema.parse(body);
      return pullRequestEvent(nameOf(project), {
        number: request.iid,
        branch: request.source_branch,
        commit: request.last_commit?.id,
        change: changeOf(request.action, request.oldrev),
        by: user?.username,
        fromFork: request.source_project_id !== request.target_project_id,
      });
    }
    default:
      return ignored('the event is not about a ref');
  }
}

function changeOf(action: string | undefined, oldRevision: string | null | undefined): 'moved' | 'closed' | null {
  if (action === 'open' || action === 'reopen' || (action === 'update' && oldRevision)) return 'moved';
  return action === 'close' || action === 'merge' ? 'closed' : null;
}

function nameOf(project: GitlabProject): NamedRepository {
  return { fullName: project.path_with_namespace, urls: [project.git_http_url, project.git_ssh_url].filter((url) => url !== undefined) };
}
