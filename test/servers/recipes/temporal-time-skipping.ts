import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { cacheOnce, locateCached } from '../../../tools/get/cache-once.ts';
import { findExecutable } from '../../../tools/get/find-executable.ts';
import type { Recipe } from '../recipe.ts';
import { run } from '../run.ts';
import { fromApt } from './apt.ts';

const PROGRAM = 'temporal-time-skipping';
const FOLDER = fileURLToPath(new URL(`./${PROGRAM}/`, import.meta.url));
const SOURCE = join(FOLDER, 'LoopbackTestServer.java');
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
const java = fromApt('javac', 'default-jdk-headless');
const maven = fromApt('mvn', 'maven');

// Its life is short: the optimizing compiler would not pay, and the tests need the cores.
const SCRIPT = `#!/bin/sh
folder=$(dirname "$0")
exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$folder:$folder/*" LoopbackTestServer "$@"
`;

/** Temporal's test server, which skips the time in which there is nothing to do: `program <port>`. The SDK would download it as one file, from a host of its own. */
export const temporalTimeSkipping = {
  title: 'Temporal time-skipping test server',
  async locate() {
    const folder = await locateCached(await key());
    return folder === undefined || (await findExecutable('java')) === undefined ? undefined : join(folder, PROGRAM);
  },
  async install(progress) {
    const compiler = (await java.locate()) ?? (await java.install(progress));
    const mvn = (await maven.locate()) ?? (await maven.install(progress));
    const folder = await cacheOnce(await key(), async (target) => {
      progress('Temporal time-skipping test server: getting 39 jars with Maven, 40 MB');
      const args = ['-q', '-B', '-f', join(FOLDER, 'pom.xml'), COPY, '-DincludeScope=runtime', `-DoutputDirectory=${target}`];
      await run(mvn, args).catch((error: unknown) => {
        // It tells on its standard output, which a failure does not carry.
        throw new Error(`Maven could not get the jars; "mvn ${args.slice(2, 5).join(' ')}" says why`, { cause: error });
      });
      await verify(target);
      await run(compiler, ['-cp', join(target, '*'), '-d', target, SOURCE]);
      await writeFile(join(target, PROGRAM), SCRIPT, { mode: 0o755 });
    });
    return join(folder, PROGRAM);
  },
} satisfies Recipe;

async function key(): Promise<string> {
  const parts = await Promise.all(['pom.xml', 'jars.sha256', 'LoopbackTestServer.java'].map((name) => readFile(join(FOLDER, name))));
  const digest = createHash('sha256').update(Buffer.concat(parts)).update(SCRIPT).digest('hex');
  return `${PROGRAM}-${digest.slice(0, 12)}`;
}

/** A POM pins versions, not bytes: what came is compared with the list, which `sha256sum *.jar` has written. */
async function verify(target: string): Promise<void> {
  const expected = (await readFile(join(FOLDER, 'jars.sha256'), 'utf8')).trim().split('\n');
  const names = (await readdir(target)).toSorted();
  const actual = await Promise.all(names.map(async (name) => `${await sha256(join(target, name))}  ${name}`));
  const different = [...actual.filter((line) => !expected.includes(line)), ...expected.filter((line) => !actual.includes(line))];
  if (different.length > 0) throw new Error(`Maven brought other jars than are listed in jars.sha256: ${different.join(', ')}`);
}

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}
