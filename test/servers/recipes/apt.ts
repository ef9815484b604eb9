import { findExecutable } from '../../../tools/get/find-executable.ts';
import type { Recipe } from '../recipe.ts';
import { run } from '../run.ts';

// One installation at a time: apt locks its database and a second one fails.
let queue: Promise<unknown> = Promise.resolve();
let lists: Promise<void> | undefined;

/**
 * A server from the distribution: `program` is looked for on PATH (or in `folder`), `debianPackage` is installed if the machine has apt and we are root.
 */
export function fromApt(program: string, debianPackage: string, folder?: string): Recipe {
  return {
    title: program,
    locate: () => findExecutable(program, folder),
    async install(progress) {
      if ((await findExecutable('apt-get')) === undefined) throw new Error(`there is no apt-get: install ${program} and put it on PATH`);
      if (process.getuid?.() !== 0) throw new Error(`needs root: run "sudo apt-get install ${debianPackage}"`);
      const installed = queue.then(async () => {
        progress(`${program}: installing the Debian package ${debianPackage}`);
        lists ??= apt(['update']);
        await lists;
        await apt(['install', '--yes', '--no-install-recommends', debianPackage]);
      });
      queue = installed.catch(() => undefined);
      await installed;
      const path = await findExecutable(program, folder);
      if (path === undefined) throw new Error(`the package ${debianPackage} brought no ${program}`);
      return path;
    },
  };
}

async function apt(args: readonly string[]): Promise<void> {
  // RUNLEVEL=1 keeps the packages' scripts from starting a service on the machine.
  await run('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', ...args], { env: { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' } });
}
