import { z } from 'zod';
import { credentialReference } from '../../schemas/credential-reference.ts';
import { duration } from '../../schemas/duration.ts';
import { accessFields, accessProblem, type AccessOptions } from '../kubernetes/access-options.ts';

const address = z.string().refine(isAddress, { error: 'write https://host/path, without query, user or password; they belong to `charts` of the sink' });
const login = z.strictObject({ username: z.string().min(1), password: credentialReference });

export const helmOptions = z
  .strictObject({
    ...accessFields,
    program: z.string().min(1).default('helm').describe('Helm 4 or 3; a name on PATH or an absolute path'),
    historyMax: z.int().min(3).max(256).default(10).describe('Revisions that are kept of a release; an undo goes back to one of them'),
    processes: z.int().min(1).max(64).default(4).describe('Helm processes at a time'),
    charts: z.record(z.string().min(1), login).default({}).describe('Logins for chart repositories, by their URL, and registries, by their host'),
  })
  .refine((options) => accessProblem(options) === null, { error: ({ input }) => accessProblem(input as AccessOptions) ?? '' });
export type HelmOptions = z.output<typeof helmOptions>;

const version = z.string().regex(/^\d+\.\d+\.\d+[0-9A-Za-z.+-]*$/, 'an exact version such as 1.4.2: what Git says must not change by itself');
const absolute = z.string().regex(/^\/[^\0\r\n]*$/, 'an absolute path of a chart on the worker');

export const helmDestination = z.strictObject({
  layout: z.literal('values').default('values'),
  chart: z
    .union([
      z.strictObject({ path: absolute }),
      z.strictObject({ repository: address, name: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/i, 'the name of a chart'), version }),
      z.strictObject({ oci: z.string().regex(/^oci:\/\/[^\s@?#]+$/, 'oci://registry/path/chart'), version }),
    ])
    .describe('A directory or archive on the worker, a chart of a repository, or one of a registry'),
  wait: z.boolean().default(false).describe('Whether a write waits until all that the chart made is ready'),
  hooks: z.boolean().default(true).describe('Whether hooks of the chart run'),
  createNamespace: z.boolean().default(false),
  timeout: duration.prefault('2m').describe('Limit of one run of Helm, with hooks and waiting'),
});
/** What a destination of kind `helm` says beside sink and place. */
export type HelmFields = z.output<typeof helmDestination>;
export type ChartSource = HelmFields['chart'];

function isAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
}
