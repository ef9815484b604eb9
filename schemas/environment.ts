import { z } from 'zod';
import { InvalidInput } from '../domain/problem.ts';

const port = z.coerce.number().int().min(0).max(65_535);

/** What both servers read from the environment. `TEMPORAL_*` is read by Temporal's own configuration. Empty is the same as unset. */
const shared = {
  VARTRACK_BUNDLE: z.string().default('vartrack.yaml'),
  /** 32 bytes in base64; payloads in Temporal are encrypted when it is set. */
  VARTRACK_CODEC_KEY: z
    .base64()
    .refine((key) => decodedLength(key) === 32, 'must be 32 bytes in base64; make one with: openssl rand -base64 32')
    .optional(),
  /** Where api and cli put work and workers find it; two deployments on one Temporal namespace need two. */
  VARTRACK_TASK_QUEUE: z.string().default('vartrack'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
};

export const apiEnvironmentSchema = z.object({
  ...shared,
  VARTRACK_API_HOST: z.string().default('0.0.0.0'),
  VARTRACK_API_PORT: port.default(8080),
  VARTRACK_METRICS_HOST: z.string().default('127.0.0.1'),
  VARTRACK_METRICS_PORT: port.default(9464),
  /** Base address of the Temporal UI, for links in answers. */
  VARTRACK_UI_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Proxies whose `X-Forwarded-For` is believed: addresses or networks with commas, or the number of hops. */
  VARTRACK_TRUSTED_PROXIES: z.string().optional(),
  /** Verified webhooks a minute for one repository. */
  VARTRACK_WEBHOOKS_PER_MINUTE: z.coerce.number().int().positive().optional(),
});

export type ApiEnvironment = z.infer<typeof apiEnvironmentSchema>;

/** Throws InvalidInput that names every variable that is wrong, and no value. */
export function parseEnvironment<T>(schema: z.ZodType<T>, env: Readonly<Record<string, string | undefined>>): T {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw new InvalidInput(result.error.issues.map(({ path, message }) => ({ message: `environment variable ${path.join('.')}: ${message}` })));
}

function decodedLength(base64: string): number {
  return (base64.length / 4) * 3 - (base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0);
}

export const workerEnvironmentSchema = z.object({
  ...shared,
  VARTRACK_METRICS_HOST: z.string().default('127.0.0.1'),
  VARTRACK_METRICS_PORT: port.default(9465),
  /** Directory of the Git mirrors; `~/.cache/vartrack/git` unless given. */
  VARTRACK_CACHE_DIR: z.string().optional(),
});
