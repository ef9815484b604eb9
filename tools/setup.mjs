// Plain JavaScript for any Node from 18: it runs before anything is installed.
//
//   node tools/setup.mjs                      installs node_modules if it does not match package-lock.json
//   node tools/setup.mjs tools/test.ts …      and then runs that file with Node 24, which comes with the dependencies
//
// The script starts Node 24 itself because the shell that npm gave us has looked up `node` before node_modules existed.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NEEDED_MAJOR = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const ownPrograms = join(root, 'node_modules', '.bin');

const [script, ...args] = process.argv.slice(2);

const difference = findDifference();
if (difference !== undefined) {
  console.log(`Installing dependencies (${difference})`);
  const code = await install();
  if (code !== 0) {
    console.error('npm ci failed; the lines above say why.');
    process.exit(code);
  }
}

const node = findNode();
if (node === undefined) {
  console.error(
    `varTrack needs Node ${NEEDED_MAJOR}; this is ${process.version} on ${process.platform}-${process.arch}, for which npm has no Node to bring along. ` +
      `Install Node ${NEEDED_MAJOR} or later and try again.`,
  );
  process.exit(1);
}
if (script !== undefined) process.exit(await run(node, [join(root, script), ...args]));

/** What node_modules lacks of package-lock.json, or undefined if nothing. npm keeps its own record of what it installed. */
function findDifference() {
  const installed = readPackages(join(root, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return 'there are none yet';
  const wanted = readPackages(join(root, 'package-lock.json')) ?? {};
  for (const [path, entry] of Object.entries(wanted)) {
    // Optional packages are left out where they do not fit the platform.
    if (path === '' || entry.link || (entry.optional && installed[path] === undefined)) continue;
    if (installed[path]?.version !== entry.version) return `${path.replace('node_modules/', '')} changed`;
  }
  return undefined;
}

function readPackages(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : undefined;
}

function install() {
  // Everything, whatever NODE_ENV says; no package here needs its install script, and npm before 11 would run them.
  const options = ['--include=dev', '--include=optional', '--ignore-scripts', '--no-audit', '--no-fund'];
  // Not with the Node in node_modules: npm deletes that folder first.
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ownPrograms);
  return run('npm', ['ci', ...options], { ...process.env, PATH: path.join(delimiter) });
}

function findNode() {
  const own = join(ownPrograms, 'node');
  if (existsSync(own)) return own;
  return Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR ? process.execPath : undefined;
}

function run(program, programArgs, env = { ...process.env, PATH: `${ownPrograms}${delimiter}${process.env.PATH ?? ''}` }) {
  return new Promise((resolve) => {
    const child = spawn(program, programArgs, { cwd: root, stdio: 'inherit', env });
    // Ctrl-C reaches the child by itself; these are for a supervisor that signals only us. Either way the child decides when to end.
    const forward = (signal) => child.kill(signal);
    process.on('SIGTERM', forward);
    process.on('SIGHUP', forward);
    process.on('SIGINT', () => {});
    child.once('error', (error) => {
      console.error(`${program}: ${error.message}`);
      resolve(127);
    });
    child.once('close', (code, signal) => {
      process.off('SIGTERM', forward);
      process.off('SIGHUP', forward);
      resolve(code ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}
