import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';

type Look = (place: string, content: string | Uint8Array) => void;

const run = promisify(execFile);

/**
 * A SQLite database: its files as they are, which also have what was deleted, and each cell by itself, because a long one is spread over pages that
 * need not be neighbours. Gives the number of cells.
 */
export async function lookAtDatabase(path: string, look: Look): Promise<number> {
  for (const suffix of ['', '-wal', '-journal']) look("the database's file", await readFile(path + suffix).catch(() => Buffer.alloc(0)));
  const database = new DatabaseSync(path, { readOnly: true });
  let cells = 0;
  try {
    for (const { name } of database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()) {
      const rows = database.prepare(`SELECT * FROM "${String(name)}"`);
      rows.setReadBigInts(true);
      for (const row of rows.iterate()) {
        for (const cell of Object.values(row)) {
          if (typeof cell !== 'string' && !(cell instanceof Uint8Array)) continue;
          cells += 1;
          look("the database's cells", cell);
        }
      }
    }
  } finally {
    database.close();
  }
  return cells;
}

/** Git directories anywhere below one: every object unpacked, and every file as it is. Gives the number of repositories. */
export async function lookAtMirrors(directory: string, look: Look): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of entries) if (entry.isFile()) look('files of Git mirrors', await readFile(join(entry.parentPath, entry.name)));
  const repositories = entries.filter((entry) => entry.isFile() && entry.name === 'HEAD').map((entry) => entry.parentPath);
  for (const repository of repositories) {
    const args = ['--git-dir', repository, 'cat-file', '--batch', '--batch-all-objects', '--unordered'];
    const { stdout } = await run('git', args, { encoding: 'buffer', maxBuffer: 256 * 1024 * 1024 });
    look('objects of Git mirrors', stdout);
  }
  return repositories.length;
}
