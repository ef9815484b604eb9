import { execFile } from 'node:child_process';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A bare repository on this machine with a clone to work in, as a team's would be on a forge. */
export interface ConfigRepository {
  readonly bare: string;
  readonly url: string;
  /** Commits everything in the clone. */
  commit(message: string): Promise<void>;
  /** Commits everything in the clone and pushes it to a branch. */
  push(branch: string, message: string): Promise<Push>;
  /** Replaces text in a file of the clone; throws if it is not there. */
  edit(file: string, from: string, to: string): Promise<void>;
}

export interface Push {
  readonly branch: string;
  readonly commit: string;
  /** What its last commit changed: names of files, lines removed and added. */
  readonly diff: readonly string[];
}

/** Makes the repository below `directory` and copies `template` into the clone; nothing is committed yet. */
export async function createConfigRepository(directory: string, template: string): Promise<ConfigRepository> {
  const bare = join(directory, 'config.git');
  const work = join(directory, 'config');
  const git = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await run('git', ['-C', work, '-c', 'user.name=Ada', '-c', 'user.email=ada@acme.example', ...args]);
    return stdout.trim();
  };
  const commit = async (message: string): Promise<void> => {
    await git('add', '--all');
    await git('commit', '-q', '--allow-empty', '-m', message);
  };
  await run('git', ['init', '-q', '--bare', '-b', 'main', bare]);
  await run('git', ['clone', '-q', bare, work]);
  await cp(template, work, { recursive: true });
  return {
    bare,
    commit,
    url: `file://${bare}`,
    async push(branch, message) {
      await commit(message);
      await git('push', '-q', 'origin', `HEAD:refs/heads/${branch}`);
      return { branch, commit: await git('rev-parse', 'HEAD'), diff: readable(await git('show', '--format=', '--unified=0', 'HEAD')) };
    },
    async edit(file, from, to) {
      const text = await readFile(join(work, file), 'utf8');
      if (!text.includes(from)) throw new Error(`${file} does not hold ${JSON.stringify(from)}`);
      await writeFile(join(work, file), text.replace(from, to));
    },
  };
}

/** Names of files, and the lines that changed. */
function readable(diff: string): string[] {
  return diff.split('\n').flatMap((line) => {
    if (line.startsWith('+++ b/')) return [line.slice('+++ b/'.length)];
    return /^[+-](?!--|\+\+)/.test(line) ? [line] : [];
  });
}
