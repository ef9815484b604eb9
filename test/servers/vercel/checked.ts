import { isDeepStrictEqual } from 'node:util';

interface Schema {
  parse(given: unknown): unknown;
}

/** A request or an answer that the SDK's own schemas do not know; a test that caused one has failed. */
export class ContractViolation extends Error {}

/** What the schema makes of a request, which has to be all of it: the SDK would have dropped what it does not know. */
export function checkedRequest<Request>(schema: Schema, request: Request): Request {
  const parsed = parsedBy(schema, request, 'request');
  // The SDK calls the body of a request RequestBody from here on.
  const { requestBody, ...rest } = request as { readonly requestBody?: unknown };
  if (!isDeepStrictEqual(parsed, plain(requestBody === undefined ? rest : { ...rest, RequestBody: requestBody })))
    throw new ContractViolation('the request has fields that the SDK does not know');
  return request;
}

/** The answer as it goes out; it has to be one that the SDK takes whole. */
export function checkedAnswer(schema: Schema, answer: unknown): unknown {
  const sent = plain(answer);
  if (!isDeepStrictEqual(plain(parsedBy(schema, sent, 'answer')), sent)) throw new ContractViolation('the answer has fields that the SDK does not know');
  return sent;
}

function parsedBy(schema: Schema, given: unknown, what: string): unknown {
  try {
    return plain(schema.parse(given));
  } catch (error) {
    throw new ContractViolation(`the ${what} is none that the SDK knows: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** As JSON carries it: without what is undefined. */
function plain(given: unknown): unknown {
  return JSON.parse(JSON.stringify(given));
}
