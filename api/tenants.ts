import { Router, type Request, type RequestHandler, type Response } from 'express';
import { explainSilence, isSilent, type WatchAnswer } from '../clients/drift-watch.ts';
import type { Logger } from '../clients/logger.ts';
import type { Bundle, Tenant } from '../domain/bundle.ts';
import { targetIdProblem } from '../domain/target-ids.ts';
import { parseWatchRequest, type WatchRequest, type WatchRequestKind } from '../schemas/watch-request.ts';
import { driftWorkflowId } from '../workflows/messages.ts';
import { answer, answerWhy } from './answer.ts';
import { limitAddress, type RateLimits } from './rate-limits.ts';
import { createBodyReader } from './read-body.ts';
import { requireToken } from './require-token.ts';

export interface TenantsOptions {
  /** Sent as `Authorization: Bearer …` by whoever may look at tenants, pause them and have them healed. */
  readonly token: string;
  /** Throws when Temporal does not answer. */
  readonly readWatch: (tenant: string) => Promise<WatchAnswer>;
  /** Throws when Temporal does not take it. */
  readonly tellWatch: (tenant: string, request: WatchRequest) => Promise<void>;
  readonly bundle: () => Bundle;
  readonly limits: RateLimits;
  readonly logger: Logger;
}

const MAX_BODY_BYTES = 128 * 1024;
const KINDS: readonly WatchRequestKind[] = ['pause', 'resume', 'heal', 'check'];

/** `GET /tenants/:tenant/drift` and `POST /tenants/:tenant/{pause,resume,heal,check}`: what the command line can do with a tenant's watch, over http. */
export function createTenantsEndpoint(options: TenantsOptions): Router {
  const readBody = createBodyReader({ maxBytes: MAX_BODY_BYTES, maxTotalBytes: 16 * MAX_BODY_BYTES });
  const guard = [limitAddress(options.limits), keptByNobody, requireToken({ token: options.token, variable: 'VARTRACK_API_TOKEN', realm: 'vartrack' })];
  const { logger } = options;

  function tellDrift(): RequestHandler {
    return async (request, response) => {
      const name = nameOf(request);
      if (!tenantOf(options.bundle(), name)) return answerWhy(response, 'not-found', 'the bundle has no such tenant');
      let watch;
      try {
        watch = await options.readWatch(name);
      } catch (error) {
        logger.error({ tenant: name, err: error }, 'drift');
        return answerWhy(response, 'unavailable', 'Temporal does not answer');
      }
      if (isSilent(watch)) return answerWhy(response, 'unavailable', explainSilence(watch));
      response.json(watch);
    };
  }

  function take(kind: WatchRequestKind): RequestHandler {
    return async (request, response) => {
      const name = nameOf(request);
      const tenant = tenantOf(options.bundle(), name);
      if (!tenant) return answerWhy(response, 'not-found', 'the bundle has no such tenant');
      if (!/^application\/json *(;|$)/i.test(request.headers['content-type'] ?? ''))
        return answerWhy(response, 'wrong-type', 'the body must be application/json');
      const body = await readBody(request, response);
      if (body.kind !== 'read') {
        response.setHeader('Connection', 'close');
        if (body.kind === 'too-large') return answerWhy(response, 'too-large', `the body is larger than ${MAX_BODY_BYTES} bytes`);
        if (body.kind === 'busy') return answerWhy(response, 'unavailable', 'too many requests at once');
        return answerWhy(response, 'malformed', 'the request ended before its body did');
      }
      const asked = parseWatchRequest(kind, body.bytes);
      if (typeof asked === 'string') return answerWhy(response, 'malformed', asked);
      const problems = unknownTargets(tenant, asked);
      if (problems.length > 0) return answerWhy(response, 'malformed', problems.join('; '));
      // Who asked for what is worth a line: it stops writes, or starts them.
      const line = { tenant: name, ...asked, address: request.ip };
      try {
        await options.tellWatch(name, asked);
      } catch (error) {
        logger.error({ ...line, err: error }, 'tenant');
        return answerWhy(response, 'unavailable', 'Temporal does not answer');
      }
      logger.info(line, 'tenant');
      answer(response, 'accepted', { workflowId: driftWorkflowId(name) });
    };
  }

  const router = Router();
  router.use(guard);
  router.route('/:tenant/drift').get(tellDrift()).all(refuseMethod('GET'));
  for (const kind of KINDS) router.route(`/:tenant/${kind}`).post(take(kind)).all(refuseMethod('POST'));
  return router;
}

function keptByNobody(_request: Request, response: Response, next: () => void): void {
  response.setHeader('Cache-Control', 'no-store');
  next();
}

function refuseMethod(allowed: string): RequestHandler {
  return (_request, response) =>
    void response
      .status(405)
      .setHeader('Allow', allowed)
      .json({ status: 'method-not-allowed', why: `it is a ${allowed}` });
}

function nameOf({ params }: Request): string {
  return String(params['tenant']);
}

function tenantOf({ tenants }: Bundle, name: string): Tenant | undefined {
  return Object.hasOwn(tenants, name) ? tenants[name] : undefined;
}

function unknownTargets(tenant: Tenant, asked: WatchRequest): string[] {
  const targets = 'targets' in asked ? (asked.targets ?? []) : [];
  return targets.map((id) => targetIdProblem(tenant, id)).filter((problem) => problem !== undefined);
}
