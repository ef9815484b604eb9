import { createHash } from 'node:crypto';
import { cp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { cacheOnce, locateCached } from '../../../tools/get/cache-once.ts';
import { findExecutable } from '../../../tools/get/find-executable.ts';
import type { Recipe } from '../recipe.ts';
import { run } from '../run.ts';

const MODULE = 'code.gitea.io/gitea';
// `go install` refuses this module (it has replace directives), so a module of our own pins it.
const RECIPE_FOLDER = fileURLToPath(new URL('./gitea/', import.meta.url));

/** Gitea, built from the Go module proxy. Its templates and static files are copied beside the program: see `giteaStaticRoot`. */
export const gitea = {
  title: 'Gitea',
  async locate() {
    const folder = await locateCached(await key());
    return folder === undefined ? undefined : join(folder, 'gitea');
  },
  async install(progress) {
    if ((await findExecutable('go')) === undefined) throw new Error('it is built from source and there is no Go toolchain on PATH');
    if ((await findExecutable('gcc')) === undefined) throw new Error('it is built with cgo and there is no gcc on PATH');
    const folder = await cacheOnce(await key(), async (target) => {
      progress('Gitea: building it with Go, about 5 minutes');
      const work = join(tmpdir(), `vartrack-gitea-${process.pid}`);
      try {
        await cp(RECIPE_FOLDER, work, { recursive: true });
        const options = { cwd: work, env: { CGO_ENABLED: '1', GOWORK: 'off' } };
        const flags = ['-mod=mod', '-trimpath', '-ldflags=-s -w', '-tags', 'sqlite sqlite_unlock_notify'];
        await run('go', ['build', ...flags, '-o', join(target, 'gitea'), MODULE], options);
        const source = (await run('go', ['list', '-mod=mod', '-m', '-f', '{{.Dir}}', MODULE], options)).trim();
        for (const part of ['templates', 'options', 'public']) await cp(join(source, part), join(target, 'static', part), { recursive: true });
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    });
    return join(folder, 'gitea');
  },
} satisfies Recipe;

/** What Gitea's STATIC_ROOT_PATH has to be for this program. */
export function giteaStaticRoot(program: string): string {
  return join(program, '..', 'static');
}

async function key(): Promise<string> {
  const sums = await readFile(join(RECIPE_FOLDER, 'go.sum'));
  return `gitea-${createHash('sha256').update(sums).digest('hex').slice(0, 12)}-${process.platform}-${process.arch}`;
}
