import type { IncomingHttpHeaders } from 'node:http';
import type { RefEvent } from '../../domain/routing.ts';

/** What one forge signs, and how it says what happened. Which one is asked comes from the bundle, never from the headers. */
export interface WebhookProvider {
  /** Whether `body` was signed with `secret`. Takes the raw bytes: nothing is parsed before it is trusted. Constant time in the secret. */
  verify(headers: IncomingHttpHeaders, body: Buffer, secret: string, nowMs: number): boolean;
  /** The id that a repeated delivery repeats, or null where the forge sends none. */
  deliveryId(headers: IncomingHttpHeaders): string | null;
  /** The forge's word for what happened, for logs. */
  eventName(headers: IncomingHttpHeaders): string;
  /** Throws ZodError for a body of another shape than the event's. */
  parse(headers: IncomingHttpHeaders, body: unknown): WebhookEvent;
}

export type WebhookEvent =
  | { readonly kind: 'changes'; readonly repository: NamedRepository; readonly changes: readonly RefChange[]; readonly by?: string }
  | { readonly kind: 'ignored'; readonly reason: string; readonly repository?: NamedRepository };

/** The repository as a payload names it. */
export interface NamedRepository {
  /** `owner/name`, with groups before it where the forge has them. */
  readonly fullName: string;
  readonly urls: readonly string[];
}

/** `closed`: a pull request ended, what was made for it can go. The commit is a hint, and some forges shorten it. */
export interface RefChange {
  readonly kind: 'moved' | 'closed';
  readonly ref: RefEvent;
  readonly commit?: string;
}

export function ignored(reason: string, repository?: NamedRepository): WebhookEvent {
  return { kind: 'ignored', reason, ...(repository && { repository }) };
}

export interface PushFacts {
  /** Full name, `refs/heads/main`. */
  readonly ref: string;
  readonly deleted: boolean;
  readonly commit: string | undefined;
  readonly by: string | undefined;
}

/** A deletion removes nothing anywhere, so it is nothing to do. */
export function pushEvent(repository: NamedRepository, push: PushFacts): WebhookEvent {
  const [, type, name] = /^refs\/(heads|tags)\/(.+)$/s.exec(push.ref) ?? [];
  if (!type || !name) return ignored('the ref is neither a branch nor a tag', repository);
  const kind = type === 'heads' ? 'branch' : 'tag';
  if (push.deleted) return ignored(`a deleted ${kind} removes nothing`, repository);
  const change: RefChange = { kind: 'moved', ref: { kind, name }, ...(push.commit && { commit: push.commit }) };
  return { kind: 'changes', repository, changes: [change], ...byOf(push.by) };
}

/** How Git says "no commit". */
export function isZeroCommit(commit: string): boolean {
  return /^0+$/.test(commit);
}

export interface PullRequestFacts {
  readonly number: number;
  readonly branch: string;
  readonly commit: string | undefined;
  /** `null`: nothing of the code or of the request's life changed. */
  readonly change: 'moved' | 'closed' | null;
  readonly by: string | undefined;
  /** Whether the branch is in another repository. */
  readonly fromFork: boolean;
}

/** A fork's pull request is not acted on: anyone could open one, and would get configuration (and secrets) of their choice rolled out. */
export function pullRequestEvent(repository: NamedRepository, facts: PullRequestFacts): WebhookEvent {
  if (facts.fromFork) return ignored('the pull request comes from a fork; only branches of the configured repository are rolled out', repository);
  if (!facts.change) return ignored('the event does not change what the pull request holds', repository);
  const ref: RefEvent = { kind: 'pull-request', number: facts.number, branch: facts.branch };
  const change: RefChange = { kind: facts.change, ref, ...(facts.commit && { commit: facts.commit }) };
  return { kind: 'changes', repository, changes: [change], ...byOf(facts.by) };
}

/** Names of people are shown as given; one that is absurdly long is cut. */
export function byOf(name: string | null | undefined): { by?: string } {
  return name ? { by: name.slice(0, 200) } : {};
}

/** A header as one text; Node joins repeated ones itself, save a few standard names. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : null;
}
