import { z } from 'zod';
import { commitSchema, pullRequestNumberSchema, refNameSchema } from './parts.ts';

const sent = {
  /** Clone URL, or `owner/name`. */
  repository: z.string().min(1),
  commit: commitSchema.optional(),
  by: z.string().optional(),
};

/** varTrack's own shape, for forges without a provider and for scripts. Unknown fields are refused: a misspelt one would change the meaning. */
export const genericEventSchema = z.union([
  z.strictObject({ ...sent, ref: refNameSchema, deleted: z.boolean().optional() }),
  z.strictObject({
    ...sent,
    pullRequest: z.strictObject({ number: pullRequestNumberSchema, branch: refNameSchema, state: z.enum(['open', 'closed']) }),
  }),
]);
