import type { PayloadCodec } from '@temporalio/common';
import { Router, type RequestHandler } from 'express';
import type { Logger } from '../clients/logger.ts';
import { answerWhy } from './answer.ts';
import { parsePayloads, writePayloads } from './codec-body.ts';
import { limitAddress, type RateLimits } from './rate-limits.ts';
import { createBodyReader } from './read-body.ts';
import { requireToken } from './require-token.ts';

export interface CodecEndpointOptions {
  readonly codec: PayloadCodec;
  /** Sent as `Authorization: Bearer …` by whoever may read payloads. */
  readonly token: string;
  /** Of the Temporal UI; requests of pages of any other are refused. Without it only programs may ask. */
  readonly origin?: string;
  readonly limits: RateLimits;
  readonly logger: Logger;
  readonly maxBodyBytes?: number;
}

/** A page of a history: Temporal itself hands out no more than 4 MiB at once, and base64 makes a third more of it. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

/**
 * Temporal's protocol for remote codecs: `POST /decode` and `POST /encode` with `{ "payloads": [ … ] }`. Who asks is known before a byte of the body is
 * read, and what is answered may be kept by nobody.
 */
export function createCodecEndpoint(options: CodecEndpointOptions): Router {
  const { codec, logger } = options;
  const maxBytes = options.maxBodyBytes ?? MAX_BODY_BYTES;
  const readBody = createBodyReader({ maxBytes, maxTotalBytes: 8 * maxBytes });

  function convert(operation: 'decode' | 'encode'): RequestHandler {
    return async (request, response) => {
      if (!/^application\/json *(;|$)/i.test(request.headers['content-type'] ?? ''))
        return answerWhy(response, 'wrong-type', 'the body must be application/json');
      const body = await readBody(request, response);
      if (body.kind !== 'read') {
        response.setHeader('Connection', 'close');
        if (body.kind === 'too-large') return answerWhy(response, 'too-large', `the body is larger than ${maxBytes} bytes; ask for fewer payloads at once`);
        if (body.kind === 'busy') return answerWhy(response, 'unavailable', 'too many large requests at once');
        return answerWhy(response, 'malformed', 'the request ended before its body did');
      }
      const payloads = parsePayloads(body.bytes);
      if (typeof payloads === 'string') return answerWhy(response, 'malformed', payloads);
      // Who reads what is worth a line: it is what the encryption is there for.
      const line = { operation, payloads: payloads.length, namespace: String(request.headers['x-namespace'] ?? '').slice(0, 64), address: request.ip };
      let converted;
      try {
        converted = await codec[operation](payloads);
      } catch (error) {
        const why = error instanceof Error ? error.message : 'it cannot be decrypted';
        logger.warn({ ...line, why }, 'codec');
        return answerWhy(response, 'malformed', `a payload cannot be converted: ${why}`);
      }
      logger.info(line, 'codec');
      response.json(writePayloads(converted));
    };
  }

  const router = Router();
  for (const operation of ['decode', 'encode'] as const) {
    router
      .route(`/${operation}`)
      .all(limitAddress(options.limits), answerToOrigin(options.origin))
      .options((_request, response) => void response.sendStatus(204))
      .post(requireToken({ token: options.token, variable: 'VARTRACK_CODEC_TOKEN', realm: 'vartrack codec' }), convert(operation))
      .all((_request, response) => void response.status(405).setHeader('Allow', 'POST, OPTIONS').json({ status: 'method-not-allowed', why: 'it is a POST' }));
  }
  return router;
}

/** Also on refusals: a browser shows them to the page only with these headers. */
function answerToOrigin(allowed: string | undefined): RequestHandler {
  return (request, response, next) => {
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Vary', 'Origin');
    const { origin } = request.headers;
    if (origin !== undefined && origin !== allowed) {
      return answerWhy(response, 'forbidden', 'pages of this origin may not ask; VARTRACK_UI_URL of the api names the one that may');
    }
    if (origin !== undefined) {
      response.setHeader('Access-Control-Allow-Origin', origin);
      response.setHeader('Access-Control-Allow-Methods', 'POST');
      // Where people sign in, the UI sends their id token too; one header that is not allowed, and the browser sends nothing.
      response.setHeader('Access-Control-Allow-Headers', 'authorization, authorization-extras, content-type, x-namespace');
      response.setHeader('Access-Control-Max-Age', '600');
    }
    next();
  };
}
