import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hook } from './webhook.ts';

/** What the repository's hook needs to send webhooks and to tell how their runs ended. */
export interface HookFile extends Hook {
  readonly temporalAddress: string;
}

/** Makes the bare repository send a signed webhook after each push, as a forge would, and tell the pusher what became of it. */
export async function installHook(bare: string, directory: string, hook: HookFile): Promise<void> {
  const file = join(directory, 'hook.json');
  await writeFile(file, JSON.stringify(hook), { mode: 0o600 });
  const words = [process.execPath, join(import.meta.dirname, 'post-receive.ts'), file].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  await writeFile(join(bare, 'hooks', 'post-receive'), `#!/bin/sh\nexec ${words.join(' ')}\n`, { mode: 0o755 });
}
