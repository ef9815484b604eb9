import { z } from 'zod';
import { accessFields, accessProblem } from '../kubernetes/access-options.ts';

export const configmapOptions = z.strictObject(accessFields).superRefine((options, context) => {
  const problem = accessProblem(options);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

export type ConfigmapOptions = z.output<typeof configmapOptions>;
