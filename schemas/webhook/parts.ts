import { z } from 'zod';

/** What payloads of several forges have in common. Only the fields that are needed; the rest of a payload is not looked at. */

/** SHA-1 or SHA-256, or the abbreviation that Bitbucket sends for pull requests. */
export const commitSchema = z.string().regex(/^[0-9a-f]{7,64}$/i);

export const refNameSchema = z.string().min(1).max(1024);

export const pullRequestNumberSchema = z.int().positive();
