import { z } from 'zod';

/** What payloads of several forges have in common. Only the fields that are needed; the rest of a payload is not looked at. */

/** SHA-1 or SHA-256, or the abbreviation that Bitbucket sends for pull requests. */
export const commitSchema = z.string().regex(/^[0-9a-f]{7,64}$/i);

/** No forge takes longer names, and no history a longer id; what git refuses in every name would end as a failure of Temporal that looks as if it could pass. */
export const refNameSchema = z
  .string()
  .min(1)
  .max(255)
  .refine((name) => name.isWellFormed() && !/\p{Cc}/u.test(name), 'a ref name is Unicode text without control characters');

export const pullRequestNumberSchema = z.int().positive();
