import { z } from 'zod';
import { InvalidInput } from '../domain/problem.ts';
import { codecKeyProblem } from './codec-keys.ts';

const token = z.string().regex(/^[!-~]{32,}$/, 'must be at least 32 printable characters without spaces; make one with: openssl rand -base64 32');
const port = z.coerce.number().int().min(0).max(65_535);

/** What both servers read from the environment. `TEMPORAL_*` is read by Temporal's own configuration. Empty is the same as unset. */
const shared = {
  VARTRACK_BUNDLE: z.string().default('vartrack.yaml'),
  /** Payloads in Temporal are encrypted when it is set. A list of keys of 32 bytes in base64: the first encrypts, all decrypt. */
  VARTRACK_CODEC_KEY: z
    .string()
    .check(({ value, issues }) => {
      const message = codecKeyProblem(value);
      // Zod would keep the value with the issue.
      if (message !== undefined) issues.push({ code: 'custom', message, input: undefined });
    })
    .optional(),
  /** `true`: nothing in Temporal is believed that is not encrypted; see `requiresEncryption`. */
  VARTRACK_REQUIRE_ENCRYPTION: z.enum(['true', 'false']).optional(),
  /** Where api and cli put work and workers find it; two deployments on one Temporal namespace need two. */
  VARTRACK_TASK_QUEUE: z.string().default('vartrack'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
};

const apiVariables = z.object({
  ...shared,
  VARTRACK_API_HOST: z.string().default('0.0.0.0'),
  VARTRACK_API_PORT: port.default(8080),
  VARTRACK_METRICS_HOST: z.string().default('127.0.0.1'),
  VARTRACK_METRICS_PORT: port.default(9464),
  /** Base address of the Temporal UI as browsers have it, for links in answers; its origin is the only one that may ask `/codec`. */
  VARTRACK_UI_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Proxies whose `X-Forwarded-For` is believed: addresses or networks with commas, or the number of hops. */
  VARTRACK_TRUSTED_PROXIES: z.string().optional(),
  /** Verified webhooks a minute for one repository. */
  VARTRACK_WEBHOOKS_PER_MINUTE: z.coerce.number().int().positive().optional(),
  /** Who has it may have payloads decrypted by `/codec`, which is off without it. */
  VARTRACK_CODEC_TOKEN: token.optional(),
  /** Who has it may look at drift, and pause, resume and heal tenants, by `/tenants`, which is off without it. */
  VARTRACK_API_TOKEN: token.optional(),
});

interface EncryptionVariables {
  readonly VARTRACK_REQUIRE_ENCRYPTION?: string | undefined;
  readonly VARTRACK_CODEC_KEY?: string | undefined;
}

/** A deployment that lost its key does not start, rather than go on in plain text. */
function hasRequiredKey({ VARTRACK_REQUIRE_ENCRYPTION: required, VARTRACK_CODEC_KEY: key }: EncryptionVariables): boolean {
  return required !== 'true' || key !== undefined;
}

const requiredKey = { path: ['VARTRACK_REQUIRE_ENCRYPTION'], error: 'is true, and there is no VARTRACK_CODEC_KEY; give it the keys that all processes have' };

export const apiEnvironmentSchema = apiVariables
  .refine(hasRequiredKey, requiredKey)
  .refine((env) => env.VARTRACK_CODEC_TOKEN === undefined || env.VARTRACK_CODEC_KEY !== undefined, {
    path: ['VARTRACK_CODEC_TOKEN'],
    error: 'switches /codec on, which needs VARTRACK_CODEC_KEY',
  });

export type ApiEnvironment = z.infer<typeof apiEnvironmentSchema>;

/** Throws InvalidInput that names every variable that is wrong, and no value. */
export function parseEnvironment<T>(schema: z.ZodType<T>, env: Readonly<Record<string, string | undefined>>): T {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw new InvalidInput(result.error.issues.map(({ path, message }) => ({ message: `environment variable ${path.join('.')}: ${message}` })));
}

const workerVariables = z.object({
  ...shared,
  VARTRACK_METRICS_HOST: z.string().default('127.0.0.1'),
  VARTRACK_METRICS_PORT: port.default(9465),
  /** Directory of the Git mirrors; `~/.cache/vartrack/git` unless given. */
  VARTRACK_CACHE_DIR: z.string().optional(),
});

export const workerEnvironmentSchema = workerVariables.refine(hasRequiredKey, requiredKey);

export const cliEnvironmentSchema = workerVariables
  .pick({ VARTRACK_BUNDLE: true, VARTRACK_CODEC_KEY: true, VARTRACK_REQUIRE_ENCRYPTION: true, VARTRACK_TASK_QUEUE: true, VARTRACK_CACHE_DIR: true })
  .refine(hasRequiredKey, requiredKey);
