import { execFileSync } from 'node:child_process';

/** Files of one commit by path; those of the commit before stay. */
export type Changes = Readonly<Record<string, string>>;

/** Makes commits on top of each other in a bare repository, by one process however many they are, and gives them in order. Branch `branch` is at the last. */
export function makeCommits(bare: string, branch: string, commits: readonly Changes[]): readonly string[] {
  const stream = commits.map((changes, index) => {
    const files = Object.entries(changes).map(([path, content]) => `M 100644 inline ${path}\ndata ${Buffer.byteLength(content)}\n${content}\n`);
    const author = `committer Ann <ann@example.com> ${1_700_000_000 + index} +0000`;
    return `commit refs/heads/${branch}\nmark :${index + 1}\n${author}\ndata 6\nchange\n${files.join('')}\n`;
  });
  execFileSync('git', ['-C', bare, 'fast-import', '--quiet'], { input: stream.join(''), maxBuffer: 1 << 30 });
  return execFileSync('git', ['-C', bare, 'rev-list', '--reverse', branch], { encoding: 'utf8', maxBuffer: 1 << 30 })
    .trim()
    .split('\n');
}
