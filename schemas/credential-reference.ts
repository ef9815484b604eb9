import { z } from 'zod';

const guide = 'write { env: NAME }, { file: path } or { vault: "manager:path#field" }; a credential itself never stands in the bundle';

/** Where a credential is read from at the moment of use. Its one error message never quotes what was written there. */
export const credentialReference = z
  .union(
    [
      z.strictObject({
        env: z
          .string()
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: guide })
          .describe('Environment variable of the worker and the API'),
      }),
      z.strictObject({ file: z.string().min(1, { error: guide }).describe("File whose content is the credential; relative to the bundle's folder") }),
      z.strictObject({
        vault: z
          .string()
          .regex(/^[a-z0-9-]+:[^#\s]+#\S+$/, { error: guide })
          .describe('manager:path#field'),
      }),
    ],
    { error: guide },
  )
  .describe('A reference to a credential, never the credential');
