import { z } from 'zod';
import { commitSchema, pullRequestNumberSchema, refNameSchema } from './parts.ts';

const repository = z.object({
  full_name: z.string().min(1),
  clone_url: z.string().optional(),
  ssh_url: z.string().optional(),
});

const sender = z.object({ login: z.string() }).optional();

/** `push`; Gitea's and Forgejo's have the same fields. */
export const githubPushSchema = z.object({ ref: refNameSchema, after: commitSchema, repository, sender });

/** `pull_request`; Gitea's and Forgejo's have the same fields. `head.repo` is null when a fork was deleted. */
export const githubPullRequestSchema = z.object({
  action: z.string(),
  number: pullRequestNumberSchema,
  pull_request: z.object({
    head: z.object({ ref: refNameSchema, sha: commitSchema.or(z.literal('')).optional(), repo: z.object({ full_name: z.string() }).nullish() }),
  }),
  repository,
  sender,
});

/** Any other event, such as `ping`; a hook of an organisation names no repository. */
export const githubOtherSchema = z.object({ repository: repository.optional() });

export type GithubRepository = z.infer<typeof repository>;
