import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowBundle } from '@temporalio/worker';
import { inject } from 'vitest';
import { bundleWorkflows } from '../../worker/bundle.ts';

const bundles = new Map<string, Promise<WorkflowBundle>>();

/** The bundle that every worker of the product runs, made once a run of the tests: it takes more than a second of CPU, and twenty files need it. */
export function workflowBundleOf(kind: 'plain' | 'encrypted'): Promise<WorkflowBundle> {
  const known = bundles.get(kind) ?? findOrMake(join(inject('scratch'), `workflows-${kind}.js`), kind);
  bundles.set(kind, known);
  return known;
}

async function findOrMake(path: string, kind: 'plain' | 'encrypted'): Promise<WorkflowBundle> {
  const found = await readFile(path, 'utf8').catch(() => undefined);
  if (found !== undefined) return { code: found };
  const { code } = await bundleWorkflows(kind);
  // Files that run beside this one may make it too; none may see half of it.
  const unfinished = `${path}.${randomUUID()}`;
  await writeFile(unfinished, code);
  await rename(unfinished, path);
  return { code };
}
