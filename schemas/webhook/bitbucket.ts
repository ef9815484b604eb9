import { z } from 'zod';
import { commitSchema, pullRequestNumberSchema, refNameSchema } from './parts.ts';

const repository = z.object({
  full_name: z.string().min(1),
  links: z.object({ html: z.object({ href: z.string() }).optional() }).optional(),
});

const actor = z.object({ nickname: z.string().optional(), display_name: z.string().optional() }).optional();

/** `repo:push`: up to five refs in one delivery; `new` is null for a deletion. */
export const bitbucketPushSchema = z.object({
  repository,
  actor,
  push: z.object({
    changes: z
      .array(
        z.object({
          new: z.object({ type: z.string(), name: refNameSchema, target: z.object({ hash: commitSchema }) }).nullable(),
          old: z.object({ type: z.string() }).nullish(),
        }),
      )
      .max(100),
  }),
});

/** `pullrequest:*`. The repository of the source is null when a fork was deleted; the commit is abbreviated. */
export const bitbucketPullRequestSchema = z.object({
  repository,
  actor,
  pullrequest: z.object({
    id: pullRequestNumberSchema,
    source: z.object({
      branch: z.object({ name: refNameSchema }),
      commit: z.object({ hash: commitSchema }).nullish(),
      repository: z.object({ full_name: z.string() }).nullish(),
    }),
  }),
});

export type BitbucketRepository = z.infer<typeof repository>;
