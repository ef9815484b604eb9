/** What the files of one layer may import: paths from the root (a trailing slash is a folder), packages, `node:`. */
export interface LayerRule {
  readonly allowed: readonly string[];
  /** May be imported as types, which are gone at run time. */
  readonly types?: readonly string[];
}

export const SINK_CONTRACT = ['sinks/sink.ts', 'sinks/errors.ts'];
// What several sinks are made of: neither a sink nor a vendor.
export const SINK_PARTS = [
  'sinks/abortable.ts',
  'sinks/leaf-document.ts',
  'sinks/read-credential.ts',
  'sinks/tls-code.ts',
  'sinks/watchable.ts',
  'sinks/cas/',
  'sinks/kubernetes/',
];
// Names and shapes of messages, no workflow code.
const WORKFLOW_NAMES = ['workflows/messages.ts', 'workflows/search-attributes.ts'];
const FORMAT_LIBRARIES = ['yaml', 'jsonc-parser', 'toml-eslint-parser', 'smol-toml', 'ini', 'dotenv', 'properties-file', 'saxes'];
const SYSTEM_LIBRARIES = ['croner', 'picomatch', 'ssh2', 'undici', 'pino', 'prom-client'];
const API_CLIENTS = [
  'bundle',
  'bundle-holder',
  'credentials',
  'drift-watch',
  'glob',
  'logger',
  'metrics',
  'temporal',
  'check-codec-key',
  'codec-key',
  'payload-codec',
  'secret-files',
  'start-drift-watch',
  'start-sync',
  'sync-result',
].map((name) => `clients/${name}.ts`);
const API_LIBRARIES = ['@temporalio/client', '@temporalio/common', 'express', 'express-rate-limit', 'lru-cache', 'pino', 'prom-client', 'zod'];

/** `docs/decisions.md` says why; a folder that is missing here may not hold source. */
export const layerRules: Readonly<Record<string, LayerRule>> = {
  domain: { allowed: ['domain/'] },
  schemas: { allowed: ['schemas/', 'domain/', 'zod'] },
  // Which vendor package belongs to which sink is in `sinkVendors`.
  sinks: { allowed: ['sinks/', 'domain/', 'schemas/credential-reference.ts', 'schemas/duration.ts', 'clients/formats/', 'zod', 'p-limit', 'node:'] },
  clients: {
    allowed: ['clients/', 'domain/', 'schemas/', ...WORKFLOW_NAMES, 'node:', 'zod', 'p-limit', 'lru-cache', ...FORMAT_LIBRARIES, ...SYSTEM_LIBRARIES],
    types: ['sinks/sink.ts'],
  },
  workflows: {
    allowed: ['workflows/', 'domain/', '@temporalio/workflow', '@temporalio/common'],
    types: ['activities/', 'schemas/'],
  },
  activities: {
    allowed: [
      'activities/',
      'domain/',
      'schemas/',
      'sinks/',
      'clients/',
      ...WORKFLOW_NAMES,
      '@temporalio/activity',
      '@temporalio/common',
      'p-limit',
      'lru-cache',
      'node:',
    ],
    types: ['@temporalio/client'],
  },
  worker: {
    allowed: ['worker/', 'activities/', 'workflows/', 'sinks/', 'clients/', 'schemas/', 'domain/', '@temporalio/', 'pino', 'prom-client', 'zod', 'node:'],
  },
  api: {
    allowed: ['api/', 'domain/', 'schemas/', 'sinks/registry.ts', ...SINK_CONTRACT, ...WORKFLOW_NAMES, ...API_CLIENTS, ...API_LIBRARIES, 'node:'],
  },
};

/** Folders that sit on top and may import anything but tests; nothing below imports them. */
export const freeFolders = ['cli', 'tools', 'test', 'examples', 'bench'];

/** Vendor packages by sink kind: no sink may lean on another's. */
export const sinkVendors: Readonly<Record<string, readonly string[]>> = {
  redis: ['ioredis'],
  linux: ['ssh2'],
  s3: ['@aws-sdk/client-s3'],
  vercel: ['@vercel/sdk', 'undici'],
  consul: ['undici'],
  mongodb: ['mongodb'],
  kubernetes: ['@kubernetes/client-node'],
};

const TEMPORAL_CLIENTS = ['temporal', 'payload-codec', 'pending-activities', 'start-sync', 'start-drift-watch', 'drift-watch', 'sync-result'].map(
  (name) => `clients/${name}.ts`,
);

/** Which packages only named files may use at run time, so that one outside system has one client. */
export const singleHomes: Readonly<Record<string, readonly string[]>> = {
  croner: ['clients/cron.ts'],
  '@temporalio/client': TEMPORAL_CLIENTS,
  '@temporalio/common': TEMPORAL_CLIENTS,
  '@temporalio/envconfig': TEMPORAL_CLIENTS,
  '@temporalio/proto': TEMPORAL_CLIENTS,
};
