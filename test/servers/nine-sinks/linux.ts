import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OneSink } from './one-sink.ts';

export async function linuxSink(): Promise<OneSink> {
  const folder = await mkdtemp(join(tmpdir(), 'vartrack-files-'));
  const root = join(folder, 'acme');
  const refusal = join(folder, 'refuse');
  await mkdir(root);
  const pathOf = (environment: string): string => join(root, environment, 'settings.env');
  return {
    kind: 'linux',
    options: { transport: 'local', root },
    // Root may write everywhere: the host's own check is what can say no.
    destination: { place: `${root}/{env}/settings.env`, format: 'env', validate: `test ! -e '${refusal}'` },
    credentials: {},
    look: (environment) => readFile(pathOf(environment), 'utf8').catch(nullIfAbsent),
    trace: async (environment) => {
      const names = ((await readdir(join(root, environment)).catch(nullIfAbsent)) ?? []).toSorted();
      const files = names.map(async (name) => {
        const { ino, mtimeMs } = await stat(join(root, environment, name));
        return [name, ino, mtimeMs];
      });
      return JSON.stringify(await Promise.all(files));
    },
    edit: async (environment, changes) => {
      const before = (await readFile(pathOf(environment), 'utf8')).trimEnd().split('\n');
      const kept = before.filter((line) => !Object.keys(changes).some((key) => line.startsWith(`${key.toUpperCase()}=`)));
      const made = Object.entries(changes).flatMap(([key, text]) => (text === null ? [] : [`${key.toUpperCase()}=${JSON.stringify(text)}`]));
      await writeFile(pathOf(environment), `${[...kept, ...made].join('\n')}\n`);
    },
    clear: (environment) => rm(pathOf(environment)),
    loseLedger: (environment) => rm(join(root, environment, '.settings.env.vartrack')),
    refuseWrites: () => writeFile(refusal, ''),
    allowWrites: () => rm(refusal, { force: true }),
    stop: () => rm(folder, { recursive: true, force: true }),
  };
}

function nullIfAbsent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
