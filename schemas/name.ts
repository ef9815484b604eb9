import { z } from 'zod';
import { isSlug } from '../domain/templates.ts';

/** Name of a tenant, repository, secret manager, sink or rule. The pattern is for editors; what counts is `isSlug`. */
export const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, { error: 'a name is made of a-z, 0-9 and dashes inside, at most 63' })
  .refine(isSlug, { error: 'a name is made of a-z, 0-9 and dashes inside, at most 63, and is not "constructor"' });

/** A map whose keys are {@link name}s. */
export function named<Schema extends z.ZodType>(schema: Schema) {
  return z.record(name, schema);
}
