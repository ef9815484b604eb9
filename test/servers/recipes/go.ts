import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { cacheOnce, locateCached } from '../../../tools/get/cache-once.ts';
import { findExecutable } from '../../../tools/get/find-executable.ts';
import type { Recipe } from '../recipe.ts';
import { run } from '../run.ts';

export interface GoProgram {
  readonly title: string;
  /** Name of the program, and of the folder in recipes/ whose go.mod pins it: `go install` refuses modules that replace others. */
  readonly name: string;
  /** What to build, as that module sees it. */
  readonly package: string;
  readonly minutes: number;
  readonly cgo?: boolean;
  readonly tags?: readonly string[];
  /** Copies what the program needs beside it; `options` run `go` in the module. */
  readonly finish?: (target: string, options: { readonly cwd: string; readonly env: Record<string, string> }) => Promise<void>;
}

// One build at a time: each takes all cores and some gigabytes.
let queue: Promise<unknown> = Promise.resolve();

/** A server built from the Go module proxy, and kept as long as its go.sum stays the same. */
export function fromGo(program: GoProgram): Recipe {
  const recipe = fileURLToPath(new URL(`./${program.name}/`, import.meta.url));

  async function key(): Promise<string> {
    const sums = await readFile(join(recipe, 'go.sum'));
    return `${program.name}-${createHash('sha256').update(sums).digest('hex').slice(0, 12)}-${process.platform}-${process.arch}`;
  }

  async function build(target: string): Promise<void> {
    const work = await mkdtemp(join(tmpdir(), `vartrack-${program.name}-`));
    try {
      await cp(recipe, work, { recursive: true });
      const options = { cwd: work, env: { CGO_ENABLED: program.cgo ? '1' : '0', GOWORK: 'off' } };
      const flags = ['-mod=mod', '-trimpath', '-ldflags=-s -w', ...(program.tags ? ['-tags', program.tags.join(' ')] : [])];
      await run('go', ['build', ...flags, '-o', join(target, program.name), program.package], options);
      await program.finish?.(target, options);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }

  return {
    title: program.title,
    async locate() {
      const folder = await locateCached(await key());
      return folder === undefined ? undefined : join(folder, program.name);
    },
    async install(progress) {
      if ((await findExecutable('go')) === undefined) throw new Error('it is built from source and there is no Go toolchain on PATH');
      if (program.cgo && (await findExecutable('gcc')) === undefined) throw new Error('it is built with cgo and there is no gcc on PATH');
      const folder = queue.then(async () => {
        progress(`${program.title}: building it with Go, about ${program.minutes} minutes`);
        return await cacheOnce(await key(), build);
      });
      queue = folder.catch(() => undefined);
      return join(await folder, program.name);
    },
  };
}
