import { z } from 'zod';
import { credentialReference } from '../../schemas/credential-reference.ts';
import { duration } from '../../schemas/duration.ts';

export const targets = ['production', 'preview', 'development'] as const;

export const vercelOptions = z.strictObject({
  token: credentialReference.describe('Access token; docs/sinks/vercel.md says what it has to be allowed'),
  teamId: z
    .string()
    .regex(/^team_[A-Za-z0-9_-]+$/, 'the id of a team, such as team_1a2b3c')
    .optional()
    .describe('Team that the projects belong to; if absent, that of the token'),
  url: z.string().refine(isServer, { error: 'write http(s)://host:port, without path, query, user or password' }).default('https://api.vercel.com'),
  requestTimeout: duration.default(30_000).describe('For one request'),
  requestsPerMinute: z.int().min(1).default(120).describe('What this process asks of Vercel with one token; what is above waits'),
  deletesPerMinute: z.int().min(1).default(60),
});
export type VercelOptions = z.output<typeof vercelOptions>;

const customEnvironment = z.string().regex(/^env_[A-Za-z0-9]+$/, 'the id of a custom environment, such as env_1a2b3c');

export const vercelDestination = z
  .strictObject({
    targets: z.array(z.enum(targets)).optional().describe('Environments that the variables are for; all three, or none beside customEnvironments, if absent'),
    gitBranch: z.string().min(1).optional().describe('Branch that they are for; with targets: [preview]'),
    customEnvironments: z.array(customEnvironment).default([]).describe('Ids of custom environments that they are for'),
    type: z
      .enum(['encrypted', 'plain', 'sensitive'])
      .default('encrypted')
      .describe('sensitive: nobody can read the values any more, varTrack neither; not for development'),
    redeploy: credentialReference.optional().describe('URL of a deploy hook, called when a change has arrived'),
  })
  .transform(({ targets: given, customEnvironments, ...fields }) => ({
    ...fields,
    targets: [...new Set(given ?? (customEnvironments.length > 0 ? [] : fields.gitBranch === undefined ? targets : (['preview'] as const)))].toSorted(),
    customEnvironments: [...new Set(customEnvironments)].toSorted(),
    layout: fields.type === 'sensitive' ? ('sensitive' as const) : ('env' as const),
  }))
  .refine((fields) => fields.targets.length + fields.customEnvironments.length > 0, { error: 'name a target or a custom environment' })
  .refine((fields) => fields.gitBranch === undefined || (fields.targets.join() === 'preview' && fields.customEnvironments.length === 0), {
    path: ['gitBranch'],
    error: 'a branch needs targets: [preview] and no custom environment',
  })
  .refine((fields) => fields.type !== 'sensitive' || !fields.targets.includes('development'), {
    path: ['type'],
    error: 'Vercel has no sensitive variables for development; name the targets, or choose another type',
  });
/** A destination after parsing; its type tells the layout. */
export type VercelFields = z.output<typeof vercelDestination>;

function isServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.search === '' && url.hash === '' && url.pathname === '/';
}
