import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { BOOT } from '../../../sinks/linux/scripts.ts';
import { encodeRequest } from '../../../sinks/linux/shell.ts';
import { watchScript } from '../../../sinks/linux/watch-script.ts';
import { findExecutable } from '../../../tools/get/find-executable.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { makeRoot } from '../linux-bench.ts';
import { inotifywaitsBelow } from './watching.ts';

describeWith('inotifywait', 'the script of a watch', () => {
  let root: string;
  beforeAll(async () => {
    root = await makeRoot();
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  test.each([['sh'], ['bash'], ['busybox', 'sh']])(
    'run by %s, tells what changes, looks for what it is asked for, and ends with its input',
    async (name, ...args) => {
      const program = await findExecutable(name);
      if (program === undefined) return console.warn(`not proven for ${name}: it is not installed`);
      const at = join(root, name);
      await mkdir(at);
      const child = spawn(program, [...args, '-c', BOOT], { stdio: ['pipe', 'pipe', 'ignore'] });
      onTestFinished(() => void child.kill('SIGKILL'));
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
      const files = [join(at, 'a b'), join(at, 'not', 'there'), '/etc/passwd'];
      const request = {
        script: watchScript,
        header: { root },
        body: [Buffer.from(`${files.join('\n')}\n\n`)],
        signal: AbortSignal.timeout(20_000),
        timeoutMs: 20_000,
      };
      child.stdin.write(encodeRequest(request));
      const head = `file ${at}/a b\ngate ${at}/not\nnone\n`;
      const established = `${head}Setting up watches.\nWatches established.\n`;
      await expect.poll(() => output, { timeout: 10_000 }).toBe(established);

      await writeFile(join(at, 'another'), '');
      await writeFile(join(at, 'a b'), '');
      await expect.poll(() => output.slice(established.length), { timeout: 5_000 }).toMatch(/^(\/.*\/a b\n)+$/);
      child.stdin.write(`${join(at, 'not')}\n`);
      child.stdin.write(`${at}\n`);
      await expect.poll(() => output, { timeout: 5_000 }).toMatch(/\/a b\nagain\n$/);
      expect(output.match(/again/g)).toHaveLength(1);

      child.stdin.end();
      await once(child, 'exit');
      expect(await inotifywaitsBelow(at)).toEqual([]);
    },
  );
});
