import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { expect, inject } from 'vitest';
import { programOf } from '../servers/program-of.ts';
import { run } from '../servers/run.ts';

export const HISTORIES = join(import.meta.dirname, '..', 'replay');

/**
 * With VARTRACK_RECORD=1 the workflow tests leave the history of each run they have looked at in `test/replay/`, named after the test. Recorded anew
 * only when a workflow changed on purpose: a running workflow of the version before has such a history.
 */
export async function recordHistory(handle: WorkflowHandle): Promise<void> {
  if (!process.env['VARTRACK_RECORD']) return;
  const name = (expect.getState().currentTestName ?? 'unnamed').replaceAll(/[^A-Za-z0-9]+/g, '-').slice(0, 90);
  await mkdir(HISTORIES, { recursive: true });
  const { runId } = await handle.describe();
  const which = ['--address', inject('temporal').address, '--workflow-id', handle.workflowId, '--run-id', runId];
  const history = await run(await programOf('temporal'), ['workflow', 'show', '--output', 'json', ...which]);
  await writeFile(join(HISTORIES, `${name}.json`), `${JSON.stringify(JSON.parse(history))}\n`);
}
