import { z } from 'zod';
import type { BundleSinks } from '../../clients/bundle.ts';

const reference = z.union([z.strictObject({ env: z.string() }), z.strictObject({ file: z.string() }), z.strictObject({ vault: z.string() })]);

/** Two kinds that connect to nothing: names as places, and absolute file paths. */
export const fakeSinks: BundleSinks = {
  redis: {
    options: z.strictObject({ url: z.string(), password: reference.optional(), attempts: z.int().default(3) }),
    destination: z.strictObject({ layout: z.enum(['hash', 'keys']).default('hash') }),
    placeProblem: (name) => (/\s/.test(name) ? 'must not hold white space' : null),
    identity: (name) => name,
    reachesBelow: (fields) => (fields as { below?: boolean }).below === true,
  },
  linux: {
    options: z.strictObject({ host: z.string() }),
    destination: z
      .strictObject({ format: z.enum(['env', 'json']).default('env'), mode: z.string().optional() })
      .transform(({ format, ...rest }) => ({ layout: format, ...rest })),
    system: (options) => (options as { host: string }).host.toLowerCase(),
    placeProblem: (name) => (name.startsWith('/') ? null : 'must be an absolute path'),
    identity: (name) => name.replaceAll(/\/+/g, '/'),
  },
};
