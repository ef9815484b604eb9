import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { glob, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { getServer, serverNames, type ServerName } from '../test/servers/get.ts';
import { summarize, type VitestReport } from './test-summary.ts';

const args = process.argv.slice(2);
process.exitCode = await main();

/** `npm test [-- filters and Vitest options]`: gets the real servers, runs the tests against them, ends with one line that counts. */
async function main(): Promise<number> {
  const missing = await getServers(await neededServers());
  const folder = await mkdtemp(join(tmpdir(), 'vartrack-test-'));
  try {
    const reportFile = join(folder, 'report.json');
    const exitCode = await runVitest(reportFile, missing);
    const text = await readFile(reportFile, 'utf8').catch(() => undefined);
    // No report: Vitest did not run any test (--help, a broken configuration) and has said so itself.
    if (text === undefined) return exitCode;
    const summary = summarize(JSON.parse(text) as VitestReport);
    for (const reason of Object.values(missing)) console.log(`Missing server: ${reason}`);
    for (const line of summary.details) console.log(line);
    console.log(summary.line);
    return exitCode || (summary.ok ? 0 : 1);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** With filters only the servers that the chosen files name, so that one file's run does not wait for a server it never starts. */
async function neededServers(): Promise<readonly ServerName[]> {
  const filters = args.filter((arg) => !arg.startsWith('-'));
  const texts: string[] = [];
  for await (const file of glob('test/**/*.test.ts')) {
    if (filters.some((filter) => file.includes(filter))) texts.push(await readFile(file, 'utf8'));
  }
  return texts.length === 0 ? serverNames : serverNames.filter((name) => texts.some((text) => text.includes(`'${name}'`)));
}

async function getServers(names: readonly ServerName[]): Promise<Partial<Record<ServerName, string>>> {
  const missing: Partial<Record<ServerName, string>> = {};
  await Promise.all(
    names.map(async (name) => {
      const located = await getServer(name, (line) => console.log(line));
      if ('missing' in located) missing[name] = located.missing;
    }),
  );
  return missing;
}

async function runVitest(reportFile: string, missing: object): Promise<number> {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
  const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...args], {
    stdio: 'inherit',
    env: { ...process.env, VARTRACK_MISSING_SERVERS: JSON.stringify(missing) },
  });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGINT', () => {});
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? 1;
}
