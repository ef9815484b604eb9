import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { linux } from '../../../sinks/linux.ts';
import type { Place, Sink } from '../../../sinks/sink.ts';

export interface Watching {
  /** Base names of the files that were told of since the last call. */
  since(): readonly string[];
  /** Waits until the file has been told of since the last call of anything here, and gives all that were. */
  tells(file: string): Promise<readonly string[]>;
  abort(): void;
  readonly ended: Promise<void>;
}

export function placeAt(name: string): Place {
  const fields = linux.destination.parse({});
  return { name, layout: fields.layout, fields };
}

/** Begins a watch, and waits until it stands. It is ended with the test. */
export async function watching(sink: Sink, files: readonly string[]): Promise<Watching> {
  const abort = new AbortController();
  let told: string[] = [];
  const ended = sink.watch?.(files.map(placeAt), ({ name }) => void told.push(basename(name)), abort.signal) ?? Promise.reject(new Error('it cannot watch'));
  ended.catch(() => undefined);
  onTestFinished(() => abort.abort());
  const since = (): readonly string[] => {
    const now = told;
    told = [];
    return now;
  };
  const toldOf = async (file: string): Promise<void> => {
    await expect.poll(() => told, { timeout: 5_000 }).toContain(file);
  };
  const tells = async (file: string): Promise<readonly string[]> => {
    const lost = ended.then(() => Promise.reject(new Error('the watch ended')));
    lost.catch(() => undefined);
    await Promise.race([toldOf(file), lost]);
    return since();
  };
  for (const file of files) await Promise.race([toldOf(basename(file)), ended]);
  since();
  return { since, tells, abort: () => abort.abort(), ended };
}

/** Process ids of the inotifywaits that watch something below the directory. */
export async function inotifywaitsBelow(root: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map(async (pid) => [pid, await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')] as const));
  return lines.filter(([, line]) => line.startsWith('inotifywait\0') && line.includes(root)).map(([pid]) => pid);
}
