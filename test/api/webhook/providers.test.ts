import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ZodError } from 'zod';
import type { WebhookEvent } from '../../../api/webhook/event.ts';
import { providers } from '../../../api/webhook/providers.ts';
import type { Provider } from '../../../domain/bundle.ts';
import { delivery, fixture, SECRET } from '../signed-delivery.ts';

const COMMIT = '9d1c7a64e02f5b6d8c3e4f5061728394a5b6c7d8';
const OLDER = '5b0f6e2f2ab7c2f6a9d38a0f1f6cf1b6c1d2e3f4';
const main = { kind: 'moved', ref: { kind: 'branch', name: 'main' }, commit: COMMIT };
const tag = { kind: 'moved', ref: { kind: 'tag', name: 'v1.4.0' }, commit: COMMIT };
const pull = { kind: 'moved', ref: { kind: 'pull-request', number: 42, branch: 'feature/pool' }, commit: COMMIT };
const closed = { ...pull, kind: 'closed' };
const abbreviated = { commit: COMMIT.slice(0, 12) };

const nothing = (reason: RegExp) => reason;

/** Every recorded payload, the event name it comes under, and what it means. */
const table: [name: string, event: string, meaning: object[] | RegExp][] = [
  ['github-push-branch', 'push', [main]],
  ['github-push-tag', 'push', [tag]],
  ['github-push-deleted', 'push', nothing(/deleted branch/)],
  ['github-pull-request-opened', 'pull_request', [pull]],
  ['github-pull-request-synchronize', 'pull_request', [pull]],
  ['github-pull-request-reopened', 'pull_request', [pull]],
  ['github-pull-request-closed', 'pull_request', [closed]],
  ['github-pull-request-labeled', 'pull_request', nothing(/does not change/)],
  ['github-pull-request-fork', 'pull_request', nothing(/fork/)],
  ['github-pull-request-lost-fork', 'pull_request', nothing(/fork/)],
  ['github-ping', 'ping', nothing(/ping/)],
  ['github-issues', 'issues', nothing(/not about a ref/)],
  ['gitea-push-branch', 'push', [main]],
  ['gitea-push-tag', 'push', [tag]],
  ['gitea-pull-request-opened', 'pull_request', [pull]],
  ['gitea-pull-request-synchronized', 'pull_request', [pull]],
  ['gitea-pull-request-closed', 'pull_request', [closed]],
  ['gitea-delete', 'delete', nothing(/not about a ref/)],
  ['forgejo-push-branch', 'push', [main]],
  ['forgejo-push-tag', 'push', [tag]],
  ['forgejo-pull-request-opened', 'pull_request', [pull]],
  ['forgejo-pull-request-synchronized', 'pull_request', [pull]],
  ['forgejo-pull-request-closed', 'pull_request', [closed]],
  ['forgejo-delete', 'delete', nothing(/not about a ref/)],
  ['gitlab-push-branch', 'Push Hook', [main]],
  ['gitlab-push-tag', 'Tag Push Hook', [tag]],
  ['gitlab-push-deleted', 'Push Hook', nothing(/deleted branch/)],
  ['gitlab-merge-request-open', 'Merge Request Hook', [pull]],
  ['gitlab-merge-request-update', 'Merge Request Hook', [pull]],
  ['gitlab-merge-request-retitled', 'Merge Request Hook', nothing(/does not change/)],
  ['gitlab-merge-request-merge', 'Merge Request Hook', [closed]],
  ['gitlab-merge-request-fork', 'Merge Request Hook', nothing(/fork/)],
  ['gitlab-note', 'Note Hook', nothing(/not about a ref/)],
  ['bitbucket-push-branch', 'repo:push', [main]],
  ['bitbucket-push-tag', 'repo:push', [tag]],
  ['bitbucket-push-deleted', 'repo:push', nothing(/deleted/)],
  ['bitbucket-push-several', 'repo:push', [main, tag, { ...tag, ref: { kind: 'tag', name: 'v1.5.0' }, commit: OLDER }]],
  ['bitbucket-pull-request-open', 'pullrequest:created', [{ ...pull, ...abbreviated }]],
  ['bitbucket-pull-request-merged', 'pullrequest:fulfilled', [{ ...closed, ...abbreviated }]],
  ['bitbucket-pull-request-fork', 'pullrequest:updated', nothing(/fork/)],
  ['generic-push-branch', '', [main]],
  ['generic-push-tag', '', [{ kind: 'moved', ref: tag.ref }]],
  ['generic-pull-request', '', [pull]],
  ['generic-pull-request-closed', '', [{ kind: 'closed', ref: pull.ref }]],
  ['generic-deleted', '', nothing(/deleted branch/)],
];

function parse(name: string, event: string, payload: unknown = fixture(name)): WebhookEvent {
  const provider = name.split('-')[0] as Provider;
  return providers[provider].parse(delivery(provider, event, payload).headers, payload);
}

describe('what the payloads of the forges mean', () => {
  it.each(table)('%s as "%s"', (name, event, meaning) => {
    const parsed = parse(name, event);
    if (meaning instanceof RegExp) expect(parsed).toMatchObject({ kind: 'ignored', reason: expect.stringMatching(meaning) as string });
    else expect(parsed).toMatchObject({ kind: 'changes', changes: meaning });
    if (parsed.kind === 'changes') expect(parsed.changes).toEqual(meaning);
  });

  it('covers every recorded payload', () => {
    const recorded = readdirSync(new URL('fixtures/', import.meta.url)).map((file) => file.replace('.json', ''));
    expect(table.map(([name]) => name).toSorted()).toEqual(recorded.toSorted());
  });

  it.each(['github-push-branch', 'gitea-push-branch', 'forgejo-push-branch', 'gitlab-push-branch', 'bitbucket-push-branch', 'generic-push-branch'])(
    'says who pushed: %s',
    (name) => expect(parse(name, table.find(([other]) => other === name)?.[1] ?? '')).toMatchObject({ by: 'ada' }),
  );

  it.each([
    ['github-push-branch', 'push', 'ref'],
    ['gitea-push-branch', 'push', 'repository'],
    ['forgejo-pull-request-opened', 'pull_request', 'number'],
    ['gitlab-push-branch', 'Push Hook', 'project'],
    ['gitlab-merge-request-open', 'Merge Request Hook', 'object_attributes'],
    ['bitbucket-push-branch', 'repo:push', 'push'],
    ['generic-push-branch', '', 'repository'],
  ])('refuses %s without %s.%s', (name, event, field) => {
    const { [field]: _, ...rest } = fixture(name);
    expect(() => parse(name, event, rest)).toThrow(ZodError);
  });

  it('refuses a misspelt field of the generic shape, which has no other author to blame', () => {
    expect(() => parse('generic-push-branch', '', { repository: 'acme/config', ref: 'refs/heads/main', delete: true })).toThrow(ZodError);
  });

  it('ignores refs that are neither branches nor tags', () => {
    const pushed = parse('github-push-branch', 'push', { ...fixture('github-push-branch'), ref: 'refs/notes/commits' });
    expect(pushed).toMatchObject({ kind: 'ignored', reason: 'the ref is neither a branch nor a tag' });
  });
});

describe('signatures', () => {
  const names = Object.keys(providers) as Provider[];
  const nowMs = Date.now();

  it.each(names)('%s: the right one is accepted', (provider) => {
    const { headers, body } = delivery(provider, 'push', { a: 1 });
    expect(providers[provider].verify(headers, body, SECRET, nowMs)).toBe(true);
  });

  it.each(names)('%s: another secret, a missing header, an empty header and an empty secret are refused', (provider) => {
    const { headers, body } = delivery(provider, 'push', { a: 1 });
    const verify = (changed: Record<string, string>, secret = SECRET) => providers[provider].verify(changed, body, secret, nowMs);
    const without = Object.fromEntries(Object.entries(headers).filter(([name]) => !/signature|token/.test(name)));
    const emptied = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, /signature|token/.test(name) ? '' : value]));
    expect(verify(headers, `${SECRET}!`)).toBe(false);
    expect(verify(without)).toBe(false);
    expect(verify(emptied)).toBe(false);
    expect(verify(delivery(provider, 'push', { a: 1 }, '').headers, '')).toBe(false);
  });

  it.each(names.filter((name) => name !== 'gitlab'))('%s: one changed byte of the body is refused', (provider) => {
    const { headers, body } = delivery(provider, 'push', { a: 1 });
    const changed = Buffer.from(body);
    changed[changed.length - 2] = (changed.at(-2) ?? 0) ^ 1;
    expect(providers[provider].verify(headers, changed, SECRET, nowMs)).toBe(false);
  });

  it.each(names.flatMap((configured) => names.filter((sender) => sender !== configured).map((sender) => [configured, sender] as const)))(
    '%s does not take the signature of %s',
    (configured, sender) => {
      const { headers, body } = delivery(sender, 'push', { a: 1 });
      // Forgejo may be set up with a hook of Gitea's type, and real Gitea also signs as GitHub does: those are the same key and the same bytes.
      const compatible =
        (configured === 'forgejo' && sender === 'gitea') || (configured === 'gitea' && sender === 'forgejo') || (configured === 'github' && sender === 'gitea');
      expect(providers[configured].verify(headers, body, SECRET, nowMs)).toBe(compatible);
    },
  );

  it('does not let a right Gitea header rescue a wrong one of Forgejo', () => {
    const { headers, body } = delivery('forgejo', 'push', { a: 1 });
    expect(providers.forgejo.verify({ ...headers, 'x-forgejo-signature': '0'.repeat(64) }, body, SECRET, nowMs)).toBe(false);
  });

  it('does not take the SHA-1 signature that GitHub also sends', () => {
    const { headers, body } = delivery('github', 'push', { a: 1 });
    const { 'x-hub-signature-256': signature, ...rest } = headers;
    expect(providers.github.verify({ ...rest, 'x-hub-signature': signature ?? '' }, body, SECRET, nowMs)).toBe(false);
  });
});
