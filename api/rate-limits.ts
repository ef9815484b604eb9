import type { Request, RequestHandler, Response } from 'express';
import { ipKeyGenerator, rateLimit, type Options } from 'express-rate-limit';
import { answerWhy, outcomeOf } from './answer.ts';

export interface RateLimits {
  /** Refused requests (unknown path, bad signature, garbage) a minute from one address. Good webhooks do not count: a forge sends all its tenants' from one. */
  readonly refusedPerAddress: number;
  /** Verified webhooks a minute for one repository. Counted after the signature, so that a stranger cannot use up a repository's share. */
  readonly perRepository: number;
}

export const DEFAULT_RATE_LIMITS: RateLimits = { refusedPerAddress: 300, perRepository: 1200 };

export function limitAddress(limits: RateLimits): RequestHandler {
  return rateLimit({
    ...shared(limits.refusedPerAddress, 'too many refused requests from this address'),
    keyGenerator: (request) => ipKeyGenerator(request.ip ?? 'unknown'),
    skipSuccessfulRequests: true,
    requestWasSuccessful: (_request, response) => response.statusCode < 400 || !REFUSED.has(outcomeOf(response)),
  });
}

const REFUSED = new Set(['malformed', 'wrong-repository', 'bad-signature', 'unauthorized', 'forbidden', 'not-found', 'too-large', 'wrong-type', 'failed']);

/** Answers 429 and gives false, or gives true. */
export function limitRepository(limits: RateLimits): (request: Request, response: Response) => Promise<boolean> {
  const limiter = rateLimit({
    ...shared(limits.perRepository, 'too many webhooks for this repository'),
    keyGenerator: ({ params }) => `${String(params['tenant'])}/${String(params['repository'])}`,
  });
  return async function isAllowed(request, response) {
    let allowed = false;
    await limiter(request, response, () => {
      allowed = true;
    });
    return allowed;
  };
}

function shared(limit: number, why: string): Partial<Options> {
  return {
    windowMs: 60_000,
    limit,
    standardHeaders: 'draft-7',
    legacyHeaders: false,
    // It only looks for mistakes of set-up, by console.error; whether proxies are trusted is told by the environment.
    validate: false,
    handler: (_request, response) => answerWhy(response, 'throttled', `${why}; try again after the seconds of Retry-After`),
  };
}
