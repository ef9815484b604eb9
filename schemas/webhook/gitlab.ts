import { z } from 'zod';
import { commitSchema, pullRequestNumberSchema, refNameSchema } from './parts.ts';

const project = z.object({
  path_with_namespace: z.string().min(1),
  git_http_url: z.string().optional(),
  git_ssh_url: z.string().optional(),
});

/** `Push Hook` and `Tag Push Hook`. `after` of an annotated tag is the tag object, `checkout_sha` its commit; null for a deletion. */
export const gitlabPushSchema = z.object({
  ref: refNameSchema,
  after: commitSchema,
  checkout_sha: commitSchema.nullish(),
  user_username: z.string().optional(),
  project,
});

/** `Merge Request Hook`. An `update` has `oldrev` only when commits were pushed. */
export const gitlabMergeRequestSchema = z.object({
  user: z.object({ username: z.string() }).optional(),
  project,
  object_attributes: z.object({
    iid: pullRequestNumberSchema,
    action: z.string().optional(),
    oldrev: z.string().nullish(),
    source_branch: refNameSchema,
    source_project_id: z.number().nullish(),
    target_project_id: z.number(),
    last_commit: z.object({ id: commitSchema }).nullish(),
  }),
});

export type GitlabProject = z.infer<typeof project>;
