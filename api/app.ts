import { randomUUID } from 'node:crypto';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import type { Logger } from '../clients/logger.ts';
import { answerWhy, outcomeOf } from './answer.ts';
import { createCodecEndpoint, type CodecEndpointOptions } from './codec.ts';
import type { ApiMetrics } from './metrics.ts';
import { DEFAULT_RATE_LIMITS, limitAddress } from './rate-limits.ts';
import { createTenantsEndpoint, type TenantsOptions } from './tenants.ts';
import { createWebhookReceiver, type WebhookDependencies } from './receive-webhook.ts';

type Defaulted = 'limits' | 'maxBodyBytes' | 'answerBudgetMs' | 'now';

export interface AppDependencies extends Omit<WebhookDependencies, Defaulted>, Partial<Pick<WebhookDependencies, Defaulted>> {
  /** Rejects when Temporal does not answer. */
  readonly probeTemporal: (signal: AbortSignal) => Promise<void>;
  readonly isDraining: () => boolean;
  readonly logger: Logger;
  readonly metrics: ApiMetrics;
  /** Express's `trust proxy`: which proxies' `X-Forwarded-For` to believe. None by default. */
  readonly trustedProxies?: string | number;
  /** Decrypts payloads for the Temporal UI at `/codec`; off without it. */
  readonly codec?: Pick<CodecEndpointOptions, 'codec' | 'token' | 'origin' | 'maxBodyBytes'>;
  /** Looks at tenants' watches and sends them messages at `/tenants`; off without it. */
  readonly tenants?: Pick<TenantsOptions, 'token' | 'readWatch' | 'tellWatch'>;
}

export const MAX_BODY_BYTES = 25 * 1024 * 1024;

/** The http interface: webhooks, health, and `/codec` and `/tenants` where they are configured. It decides nothing about configuration; it hands verified hints to Temporal. */
export function createApp(deps: AppDependencies): Express {
  const limits = deps.limits ?? DEFAULT_RATE_LIMITS;
  // The answer must arrive inside the 10 s, not start there.
  const receiver = createWebhookReceiver({ maxBodyBytes: MAX_BODY_BYTES, answerBudgetMs: 9_000, now: Date.now, ...deps, limits });
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('trust proxy', deps.trustedProxies ?? false);

  app.get('/healthz', (_request, response) => void response.json({ status: 'ok' }));
  app.get('/readyz', tellReadiness(deps));
  app
    .route('/webhooks/:tenant/:repository')
    .post(observe(deps), limitAddress(limits), receiver)
    .all((_request, response) => void response.status(405).setHeader('Allow', 'POST').json({ status: 'method-not-allowed', why: 'a webhook is a POST' }));
  if (deps.codec) app.use('/codec', createCodecEndpoint({ ...deps.codec, limits, logger: deps.logger }));
  if (deps.tenants) app.use('/tenants', createTenantsEndpoint({ ...deps.tenants, bundle: deps.bundle, limits, logger: deps.logger }));
  app.use((_request, response) => answerWhy(response, 'not-found', 'nothing is here'));
  app.use(answerErrors(deps.logger));
  return app;
}

function tellReadiness({ isDraining, probeTemporal, bundle }: AppDependencies): RequestHandler {
  return async (_request, response) => {
    if (isDraining()) return void response.status(503).json({ status: 'draining' });
    try {
      await probeTemporal(AbortSignal.timeout(2_000));
      response.json({ status: 'ready', tenants: Object.keys(bundle().tenants).length });
    } catch {
      response.status(503).json({ status: 'unavailable', why: 'Temporal does not answer' });
    }
  };
}

/** One line and one measurement for each webhook, whatever becomes of it. */
function observe({ logger, metrics }: AppDependencies): RequestHandler {
  return (request, response, next) => {
    const { locals } = response;
    const startedMs = performance.now();
    locals['requestId'] = randomUUID();
    response.setHeader('X-Request-Id', String(locals['requestId']));
    metrics.inFlight.inc();
    response.once('close', () => {
      const outcome = response.writableFinished ? outcomeOf(response) : 'aborted';
      const durationMs = performance.now() - startedMs;
      metrics.inFlight.dec();
      metrics.webhooks.inc({ provider: String(locals['provider'] ?? 'unknown'), outcome });
      metrics.duration.observe({ outcome }, durationMs / 1000);
      const { requestId, provider, event, deliveryId, why, runs, error } = locals;
      // Unknown names are the sender's text, so they are cut; JSON keeps them on one line.
      const [tenant, repository] = [request.params['tenant'], request.params['repository']].map((name) => String(name).slice(0, 64));
      const line = { requestId, tenant, repository, provider, event, deliveryId, outcome, status: response.statusCode, ms: Math.round(durationMs), why, runs };
      if (outcome === 'unavailable' || outcome === 'failed') logger.error({ ...line, err: error }, 'webhook');
      else logger.info(line, 'webhook');
    });
    next();
  };
}

/** Express's own errors (a malformed path) keep their status; what we did not foresee is a 500 without a word of its cause. */
function answerErrors(logger: Logger): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) return next(error);
    const isMalformed = error instanceof URIError || (error instanceof Error && 'status' in error && error.status === 400);
    if (isMalformed) return answerWhy(response, 'malformed', 'the path is malformed');
    logger.error({ err: error }, 'unexpected error');
    answerWhy(response, 'failed', 'unexpected error; the log has it');
  };
}
