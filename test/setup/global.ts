import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

import { locateServer, serverNames, type Located, type ServerName } from '../servers/get.ts';
import { startTemporal } from '../servers/temporal.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Which real servers this machine has. */
    servers: Readonly<Record<ServerName, Located>>;
    /** The run's own Temporal development server; each test brings its own task queue. Only inside `describeWith('temporal', …)`. */
    temporal: { readonly address: string; readonly namespace: string };
    /** A directory that lives as long as the run, for what several files would make anew. */
    scratch: string;
  }
}

/** Once a run: finds the real servers and starts the Temporal server that all test files use. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const entries = await Promise.all(serverNames.map(async (name) => [name, await findServer(name)] as const));
  const servers = Object.fromEntries(entries) as Record<ServerName, Located>;
  project.provide('servers', servers);
  const scratch = await mkdtemp(join(tmpdir(), 'vartrack-run-'));
  project.provide('scratch', scratch);
  // Hundreds of processes of a run load the same modules; what one has compiled the next need not.
  process.env['NODE_COMPILE_CACHE'] ??= join(scratch, 'compile-cache');
  const removeScratch = () => rm(scratch, { recursive: true, force: true });
  if ('missing' in servers.temporal) {
    project.provide('temporal', { address: '', namespace: '' });
    return removeScratch;
  }
  const temporal = await startTemporal();
  project.provide('temporal', { address: temporal.address, namespace: temporal.namespace });
  return async () => {
    await temporal.stop();
    await removeScratch();
  };
}

/** `npm test` has tried to install what is missing and knows a better reason than "not installed". */
async function findServer(name: ServerName): Promise<Located> {
  const located = await locateServer(name);
  const reasons = JSON.parse(process.env['VARTRACK_MISSING_SERVERS'] ?? '{}') as Partial<Record<ServerName, string>>;
  return 'missing' in located ? { missing: reasons[name] ?? located.missing } : located;
}
