import type { Response } from 'express';

/** What became of a request, as logs and metrics name it. */
export type Outcome =
  | 'accepted'
  | 'repeated'
  | 'nothing-to-do'
  | 'malformed'
  | 'wrong-repository'
  | 'bad-signature'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'too-large'
  | 'wrong-type'
  | 'throttled'
  | 'unavailable'
  | 'failed';

const STATUS: Readonly<Record<Outcome, number>> = {
  accepted: 202,
  repeated: 200,
  'nothing-to-do': 200,
  malformed: 400,
  'wrong-repository': 400,
  'bad-signature': 401,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  'too-large': 413,
  'wrong-type': 415,
  throttled: 429,
  unavailable: 503,
  failed: 500,
};

/** Ends the request with the status of its outcome and a small JSON body that says why. */
export function answer(response: Response, outcome: Outcome, body: Readonly<Record<string, unknown>>): void {
  response.locals['outcome'] = outcome;
  if (outcome === 'unavailable') response.setHeader('Retry-After', '5');
  response.status(STATUS[outcome]).json({ status: outcome, ...body });
}

/** {@link answer} with nothing but the reason. It is for the eyes of whoever set up the sender, and is logged. */
export function answerWhy(response: Response, outcome: Outcome, why: string): void {
  response.locals['why'] = why;
  answer(response, outcome, { why });
}

export function outcomeOf(response: Response): Outcome {
  return (response.locals['outcome'] as Outcome | undefined) ?? 'failed';
}
