import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Puts a git before the real one, for processes that are started from now on, which writes down each command. */
export function countGit(): () => Readonly<Record<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), 'vartrack-git-'));
  const record = join(folder, 'commands');
  const real = execFileSync('which', ['git'], { encoding: 'utf8' }).trim();
  writeFileSync(record, '');
  writeFileSync(join(folder, 'git'), `#!/bin/sh\necho "$1" >> '${record}'\nexec '${real}' "$@"\n`, { mode: 0o755 });
  process.env['PATH'] = `${folder}${delimiter}${process.env['PATH']}`;
  return () => {
    const counts: Record<string, number> = {};
    for (const command of readFileSync(record, 'utf8').split('\n').filter(Boolean)) counts[command] = (counts[command] ?? 0) + 1;
    return counts;
  };
}
