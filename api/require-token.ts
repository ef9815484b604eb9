import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler } from 'express';
import { answerWhy } from './answer.ts';

export interface TokenGuard {
  readonly token: string;
  /** Where whoever asks finds the token by name. */
  readonly variable: string;
  readonly realm: string;
}

/** Lets requests through that carry the token as `Authorization: Bearer …`; the others are answered 401 before their body is read. */
export function requireToken({ token, variable, realm }: TokenGuard): RequestHandler {
  const expected = digest(token);
  return (request, response, next) => {
    const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    // Digests, since only texts of one length can be compared in constant time.
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return next();
    response.setHeader('WWW-Authenticate', `Bearer realm="${realm}"`);
    response.setHeader('Connection', 'close');
    answerWhy(response, 'unauthorized', given === undefined ? `send the token of ${variable} as Authorization: Bearer …` : 'this is not the token');
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
