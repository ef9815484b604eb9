import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The smallest chart in which what Helm rendered can be seen: a ConfigMap, named as the release, with all values that the templates see. */
export const chartPath = fileURLToPath(new URL('./chart', import.meta.url));

export interface ChartFolder {
  readonly path: string;
  /** Writes a file of the chart. */
  write(name: string, text: string): Promise<void>;
  remove(): Promise<void>;
}

/** A copy of that chart, to be changed. */
export async function copyChart(): Promise<ChartFolder> {
  const path = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'vartrack-chart-'));
  await cp(chartPath, path, { recursive: true });
  return {
    path,
    write: (name, text) => writeFile(join(path, name), text),
    remove: () => rm(path, { recursive: true, force: true }),
  };
}
