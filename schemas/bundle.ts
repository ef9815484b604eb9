import { z } from 'zod';
import type { Bundle } from '../domain/bundle.ts';
import { credentialReference } from './credential-reference.ts';
import { freeze } from './freeze.ts';
import { named } from './name.ts';
import { repository } from './repository.ts';
import { ruleSchema } from './rule.ts';
import { secretManager } from './secret-manager.ts';
import { destination, joinSinkKinds, sinkConnection, type SinkSchemas } from './sink-schemas.ts';

const settings = z.strictObject({
  allowFileRepositories: z.boolean().default(false).describe('Allows file:// and plain paths as repositories, for development and tests'),
  fingerprintKey: credentialReference.exactOptional().describe('Key of the fingerprints in ledgers; required as soon as there are secrets'),
});

/**
 * The grammar of `vartrack.yaml`. What one value alone cannot tell (a rule that names a repository, two rules with one target) is checked by
 * `domain/bundle-checks.ts`. Parse with the error map `explainIssue`.
 */
export function createBundleSchema(sinks: SinkSchemas): z.ZodType<Bundle> {
  const tenant = z.preprocess(
    joinSinkKinds,
    z.strictObject({
      repositories: named(repository).default({}).describe('Where configuration comes from'),
      secretManagers: named(secretManager).default({}).describe('Where @secret(…) references are resolved'),
      sinks: named(sinkConnection(sinks)).default({}).describe('Connections to the systems that are written to'),
      rules: named(ruleSchema(destination(sinks)))
        .default({})
        .describe('Files of a repository → environments → destinations'),
      freeze: freeze.exactOptional(),
    }),
  );
  return z
    .strictObject({
      $schema: z.string().exactOptional().describe('For editors; not read'),
      apiVersion: z.literal('vartrack.dev/v1'),
      settings: settings.prefault({}),
      tenants: named(tenant).describe('Teams; nothing crosses from one to another'),
    })
    .transform(({ settings: given, tenants }) => ({ settings: given, tenants }));
}
