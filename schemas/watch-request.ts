import { z } from 'zod';
import { parsePauseEnd } from './pause-end.ts';

const MOST_TARGETS = 500;

// It is shown on pages and terminals, and kept in Temporal.
const line = (longest: number) =>
  z
    .string()
    .regex(/^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$/, 'must be one line')
    .trim()
    .min(1, 'must not be empty')
    .max(longest, `must not be longer than ${longest} characters`);

const by = line(200);
const reason = line(1_000);
const targets = z.array(z.string().max(500)).min(1, 'must not be empty; leave it out for all').max(MOST_TARGETS, `must not be more than ${MOST_TARGETS}`);

const until = z.string().transform((text, context) => {
  const end = parsePauseEnd(text, new Date());
  if ('at' in end) return end.at;
  context.addIssue({ code: 'custom', message: end.problem });
  return z.NEVER;
});

/** Bodies of `POST /tenants/:tenant/…`: who asks, and what for. */
export const watchRequestSchemas = {
  pause: z.strictObject({ by, reason, until: until.exactOptional() }),
  resume: z.strictObject({ by }),
  heal: z.strictObject({ by, reason: reason.exactOptional(), targets: targets.exactOptional(), force: z.literal(true).exactOptional() }),
  check: z.strictObject({ by, targets: targets.exactOptional() }),
} as const;

export type WatchRequestKind = keyof typeof watchRequestSchemas;
export type WatchRequest = { [Kind in WatchRequestKind]: { readonly kind: Kind } & z.infer<(typeof watchRequestSchemas)[Kind]> }[WatchRequestKind];

/** The request in a body, or what is wrong with it, field by field; never a value of it. */
export function parseWatchRequest(kind: WatchRequestKind, body: Buffer): WatchRequest | string {
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    return 'the body is not JSON';
  }
  const parsed = watchRequestSchemas[kind].safeParse(json);
  if (parsed.success) return { kind, ...parsed.data } as WatchRequest;
  return parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`).join('; ');
}
