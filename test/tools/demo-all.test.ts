import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { sinkDefinitions } from '../../sinks/registry.ts';
import { describeWith } from '../servers/describe-with.ts';
import { neededServers } from '../servers/nine-sinks.ts';

const LIMIT_MS = 150_000;
const SERVERS = [...new Set(Object.values(neededServers).flat())];

describeWith(['temporal', ...SERVERS], 'npm run demo -- --all', () => {
  it('shows a push to a sink of each kind, what is in each, and what one that refuses means for the others', { timeout: LIMIT_MS }, async () => {
    const temporary = await mkdtemp(join(tmpdir(), 'vartrack-test-'));
    onTestFinished(() => rm(temporary, { recursive: true, force: true, maxRetries: 5 }));
    const env = { ...process.env, TMPDIR: temporary };
    const { stdout } = await promisify(execFile)(process.execPath, ['tools/demo.ts', '--all'], { env, timeout: LIMIT_MS - 10_000 });

    const table = stdout.slice(stdout.lastIndexOf('\nstep '));
    const ends = [...table.matchAll(/^(\d) {2}.*? {2,}[0-9a-f]{7} {2}(\w+) /gm)].map(([, number, status]) => `${number} ${status}`);
    expect(ends, stdout).toEqual(['1 Synced', '2 Rejected', '3 RolledBack', '4 Synced', '5 Unchanged']);
    expect(table).toContain('All 5 steps ended as they should.');
    for (const kind of Object.keys(sinkDefinitions)) {
      expect(stdout).toMatch(new RegExp(`^ +${kind} +8 -> 8$`, 'm'));
      expect(stdout).toMatch(new RegExp(`^${kind} +\\S+: workers 16$`, 'm'));
    }
    expect(await readdir(temporary)).toEqual([]);
  });
});
