import { createHash } from 'node:crypto';
import type { Request, Response } from 'express';
import { ZodError } from 'zod';
import { matchGlob } from '../clients/glob.ts';
import type { Bundle, CredentialReference, Repository } from '../domain/bundle.ts';
import { rulesOf, streamOf, type RefEvent } from '../domain/routing.ts';
import type { ResolveCredential } from '../sinks/sink.ts';
import type { SyncRequest } from '../workflows/messages.ts';
import { answer, answerWhy } from './answer.ts';
import { createDeliveryMemory } from './delivery-memory.ts';
import { limitRepository, type RateLimits } from './rate-limits.ts';
import { createBodyReader, type Body } from './read-body.ts';
import type { RefChange, WebhookEvent } from './webhook/event.ts';
import { namesRepository } from './webhook/names-repository.ts';
import { providers } from './webhook/providers.ts';

export interface Started {
  readonly workflowId: string;
  readonly runId: string;
}

export interface StreamId {
  readonly tenant: string;
  readonly repository: string;
  readonly stream: string;
}

export interface WebhookDependencies {
  readonly bundle: () => Bundle;
  readonly resolveCredential: ResolveCredential;
  /** Hands the request to the stream's workflow. Rejects when that cannot be told to have worked; doing it twice is harmless. */
  readonly startSync: (stream: StreamId, request: SyncRequest, signal: AbortSignal) => Promise<Started>;
  /** Page of a run for people, if there is one. */
  readonly linkTo?: (run: Started) => string;
  readonly limits: RateLimits;
  readonly maxBodyBytes: number;
  /** From the head of the request to the answer; forges give up after 10 s. */
  readonly answerBudgetMs: number;
  readonly now: () => number;
}

const REREAD_AFTER_MS = 5_000;

/** The whole story of one webhook. Nothing of the body is looked at before its signature is known to be good. */
export function createWebhookReceiver(deps: WebhookDependencies): (request: Request, response: Response) => Promise<void> {
  const readBody = createBodyReader({ maxBytes: deps.maxBodyBytes, maxTotalBytes: 10 * deps.maxBodyBytes });
  const isWithinLimit = limitRepository(deps.limits);
  const deliveries = createDeliveryMemory({ now: deps.now });

  return async function receiveWebhook(request, response) {
    const budget = AbortSignal.timeout(deps.answerBudgetMs);
    const tenantName = String(request.params['tenant']);
    const repositoryName = String(request.params['repository']);

    const found = findRepository(deps.bundle(), tenantName, repositoryName);
    if (!found) return answerWhy(response, 'not-found', 'no such tenant or repository, or it takes no webhooks');
    const { tenant, repository, webhookSecret } = found;
    const provider = providers[repository.provider];
    const deliveryId = shorten(provider.deliveryId(request.headers));
    Object.assign(response.locals, { provider: repository.provider, event: provider.eventName(request.headers).slice(0, 100), deliveryId });

    const wrongType = contentTypeProblem(request);
    if (wrongType) return answerWhy(response, 'wrong-type', wrongType);
    const body = await readBody(request, response);
    if (body.kind !== 'read') return refuseBody(response, body.kind, deps.maxBodyBytes);

    const isSigned = (secret: string): boolean => provider.verify(request.headers, body.bytes, secret, deps.now());
    const signature = await checkSignature({ deps, response, reference: webhookSecret, budget, isSigned });
    if (signature === 'unknown') return answerWhy(response, 'unavailable', 'the webhook secret of the repository cannot be read; its log line says why');
    if (signature === 'bad') return answerWhy(response, 'bad-signature', `the signature of a ${repository.provider} webhook is missing, wrong or too old`);
    if (!(await isWithinLimit(request, response))) return;
    if (deliveryId !== null && deliveries.has(tenantName, repositoryName, deliveryId))
      return answerWhy(response, 'repeated', 'this delivery was accepted before');

    const parsed = parseEvent(() => provider.parse(request.headers, JSON.parse(body.bytes.toString('utf8'))));
    if ('malformed' in parsed) return answerWhy(response, 'malformed', parsed.malformed);
    const { event } = parsed;
    if (event.repository && !namesRepository(event.repository, repository.url))
      return answerWhy(response, 'wrong-repository', `the payload is of ${nameOf(event)}, which is not the repository configured here`);
    if (event.kind === 'ignored') return answerWhy(response, 'nothing-to-do', event.reason);

    const rules = rulesOf(tenant, repositoryName);
    const routed = event.changes.map((change) => ({ change, stream: streamOf(rules, change.ref, matchGlob) }));
    const streams = routed.filter((entry): entry is { change: RefChange; stream: string } => entry.stream !== null);
    if (streams.length === 0) return answerWhy(response, 'nothing-to-do', `no rule routes ${event.changes.map((change) => formatRef(change.ref)).join(', ')}`);

    const requestId = deliveryId ?? String(response.locals['requestId']);
    const runs: (Started & { stream: string; links: { ui?: string } })[] = [];
    try {
      for (const [index, { change, stream }] of streams.entries()) {
        // Two tags of one delivery may feed one stream; the workflow takes equal ids for one request.
        const id = streams.length === 1 ? requestId : `${requestId}#${index}`;
        const sync = toSyncRequest(id, change, event.by);
        const run = await within(
          budget,
          deps.startSync({ tenant: tenantName, repository: repositoryName, stream }, sync, budget),
          'Temporal did not answer in time',
        );
        runs.push({ ...run, stream, links: deps.linkTo ? { ui: deps.linkTo(run) } : {} });
      }
    } catch (error) {
      response.locals['error'] = error;
      return answerWhy(response, 'unavailable', 'the run could not be handed to Temporal; send the webhook again');
    }
    if (deliveryId !== null) deliveries.add(tenantName, repositoryName, deliveryId);
    response.locals['runs'] = runs.map((run) => run.workflowId);
    answer(response, 'accepted', { ...runs[0], ...(runs.length > 1 && { more: runs.slice(1) }) });
  };
}

/** A repository without a secret takes no webhooks, and is not told apart from one that does not exist. */
function findRepository(bundle: Bundle, tenantName: string, repositoryName: string) {
  const tenant = Object.hasOwn(bundle.tenants, tenantName) ? bundle.tenants[tenantName] : undefined;
  const repository: Repository | undefined = tenant && Object.hasOwn(tenant.repositories, repositoryName) ? tenant.repositories[repositoryName] : undefined;
  return tenant && repository?.webhookSecret ? { tenant, repository, webhookSecret: repository.webhookSecret } : null;
}

function contentTypeProblem(request: Request): string | null {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') return 'the body must not be compressed';
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type === 'application/json') return null;
  const advice = type === 'application/x-www-form-urlencoded' ? '; choose the content type application/json in the settings of the webhook' : '';
  return `the body must be application/json${advice}`;
}

function refuseBody(response: Response, kind: Exclude<Body['kind'], 'read'>, maxBytes: number): void {
  response.setHeader('Connection', 'close');
  if (kind === 'too-large') answerWhy(response, 'too-large', `the body is larger than ${maxBytes} bytes`);
  else if (kind === 'busy') answerWhy(response, 'unavailable', 'too many large webhooks at once');
  else answerWhy(response, 'malformed', 'the request ended before its body did');
}

interface SignatureCheck {
  readonly deps: WebhookDependencies;
  readonly response: Response;
  readonly reference: CredentialReference;
  readonly budget: AbortSignal;
  readonly isSigned: (secret: string) => boolean;
}

async function checkSignature({ deps, response, reference, budget, isSigned }: SignatureCheck): Promise<'good' | 'bad' | 'unknown'> {
  try {
    if (isSigned(await readSecret(deps, reference, budget))) return 'good';
    // It may have been rotated since it was read. Strangers can ask for this, so it is not read again more often than that.
    const notBefore = Date.now() - REREAD_AFTER_MS;
    return 'vault' in reference && isSigned(await readSecret(deps, reference, budget, notBefore)) ? 'good' : 'bad';
  } catch (error) {
    response.locals['error'] = error;
    return 'unknown';
  }
}

async function readSecret({ resolveCredential }: WebhookDependencies, reference: CredentialReference, budget: AbortSignal, notBefore = 0): Promise<string> {
  const secret = await within(budget, resolveCredential(reference, { notBefore }), 'the webhook secret could not be read in time');
  if (secret === '') throw new Error('the webhook secret is empty');
  return secret;
}

function parseEvent(parse: () => WebhookEvent): { readonly event: WebhookEvent } | { readonly malformed: string } {
  try {
    return { event: parse() };
  } catch (error) {
    if (error instanceof SyntaxError) return { malformed: 'the body is not JSON' };
    if (!(error instanceof ZodError)) throw error;
    const fields = error.issues.slice(0, 5).map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
    return { malformed: `the body is not what the event says: ${fields.join('; ')}` };
  }
}

function toSyncRequest(id: string, { kind, ref, commit }: RefChange, by: string | undefined): SyncRequest {
  return { id, trigger: kind === 'closed' ? 'closed' : 'push', ref, ...(commit !== undefined && { commit }), ...(by !== undefined && { by }) };
}

/** A call that does not heed its signal must not keep the sender waiting either. */
function within<T>(budget: AbortSignal, work: Promise<T>, late: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new Error(late));
    if (budget.aborted) giveUp();
    budget.addEventListener('abort', giveUp, { once: true });
    work.then(resolve, reject).finally(() => budget.removeEventListener('abort', giveUp));
  });
}

/** Delivery ids travel into histories, and the header is not signed: an odd one is replaced by its digest. */
function shorten(deliveryId: string | null): string | null {
  if (deliveryId === null || /^[\w.:{}-]{1,128}$/.test(deliveryId)) return deliveryId;
  return createHash('sha256').update(deliveryId).digest('hex');
}

function nameOf(event: WebhookEvent): string {
  // Cut: it goes into the answer and the log.
  return (event.repository?.fullName || event.repository?.urls[0] || 'an unnamed repository').slice(0, 200);
}

function formatRef(ref: RefEvent): string {
  return ref.kind === 'pull-request' ? `pull request ${ref.number}` : `${ref.kind} ${ref.name}`;
}
