import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

// Debian keeps servers where a plain user's PATH does not look.
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The absolute path of a program on PATH, in the system's folders, or in `extraFolder`. */
export async function findExecutable(name: string, extraFolder = ''): Promise<string | undefined> {
  const folders = [extraFolder, ...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_FOLDERS].filter((folder) => folder !== '');
  for (const folder of folders) {
    const path = join(folder, name);
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}
