import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DefaultLogger, Runtime, Worker, type WorkflowBundle } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { HISTORIES } from './record-history.ts';
import { workflowBundleOf } from './workflow-bundle.ts';

Runtime.install({ logger: new DefaultLogger('ERROR') });
const names = (await readdir(HISTORIES)).filter((name) => name.endsWith('.json'));

describe('the workflows of this version', () => {
  let workflowBundle: WorkflowBundle;
  beforeAll(async () => {
    workflowBundle = await workflowBundleOf('plain');
  });

  it('have recorded histories of every way to end', () => {
    const text = names.join(' ');
    for (const way of [
      'Synced',
      'unchanged',
      'rejected',
      'held',
      'for-good',
      'Failed',
      'continue',
      'halt',
      'join',
      'take-over',
      'parks',
      'cancels',
      'pause',
      'heals',
    ]) {
      expect(text).toContain(way);
    }
  });

  it.each(names)('go on where a run of the recorded one stood: %s', async (name) => {
    const history = JSON.parse(await readFile(join(HISTORIES, name), 'utf8')) as unknown;
    await Worker.runReplayHistory({ workflowBundle, replayName: name }, history, name);
  });

  it('would be told apart from a version that does something else', async () => {
    const name = names.find((each) => each.includes('target-fails-for-good')) ?? '';
    const recorded: unknown = JSON.parse((await readFile(join(HISTORIES, name), 'utf8')).replaceAll('"restoreTarget"', '"applyTarget"'));
    await expect(Worker.runReplayHistory({ workflowBundle }, recorded, name)).rejects.toThrow(/[Nn]ondeterminism/);
  });
});
