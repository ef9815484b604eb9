import { existsSync, readFileSync } from 'node:fs';

import { expect, test } from 'vitest';
import { parse } from 'yaml';

import { importsOf } from './layers/imports-of.ts';
import { layerRules } from './layers/layer-rules.ts';

interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly ports?: readonly string[];
  readonly healthcheck?: object;
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, object>>;
}

const composeText = readFileSync('docker-compose.temporal.yml', 'utf8');
const compose = parse(composeText, { merge: true }) as { readonly services: Readonly<Record<string, Service>> };
const services = Object.entries(compose.services);
const dockerfile = readFileSync('Dockerfile', 'utf8');
const PINNED = /^[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z0-9.-]+)?$/;

test('each variable that the compose file asks for is explained in .env.example, and none that it does not ask for', () => {
  // `$$NAME` is the shell's, inside a container.
  const asked = [...composeText.matchAll(/(?<!\$)\$\{([A-Z_]+)/g)].map((match) => match[1]);
  const explained = [...readFileSync('.env.example', 'utf8').matchAll(/^(?:# )?([A-Z_]+)=/gm)].map((match) => match[1]);
  expect(new Set(asked)).toEqual(new Set(explained));
  expect(asked.length).toBeGreaterThan(5);
});

test('the defaults in .env.example are those of the compose file', () => {
  const defaults = [...composeText.matchAll(/(?<!\$)\$\{([A-Z_]+):-([^}]+)\}/g)].map((match) => `# ${match[1]}=${match[2]}`);
  const lines = readFileSync('.env.example', 'utf8').split('\n');
  expect(defaults.filter((line) => !lines.includes(line))).toEqual([]);
});

test('no password or key has a default', () => {
  const secrets = [...composeText.matchAll(/\$\{([A-Z_]*(?:PASSWORD|KEY|SECRET|TOKEN)[A-Z_]*)([^}]*)\}/g)];
  expect(secrets.length).toBeGreaterThan(0);
  expect(secrets.filter(([, , rest]) => rest !== ':-' && !rest?.startsWith(':?'))).toEqual([]);
});

test('every image is pinned to a version', () => {
  const images = [...services.flatMap(([, { image }]) => image ?? []), ...[...dockerfile.matchAll(/^FROM (\S+)/gm)].map((match) => match[1])];
  expect(images.length).toBeGreaterThan(6);
  for (const image of images) expect(image).toMatch(PINNED);
});

test('every port is open on loopback only', () => {
  const ports = services.flatMap(([, service]) => service.ports ?? []);
  expect(ports.length).toBeGreaterThan(3);
  for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
});

test('the services that stay up and that others wait for say when they are healthy', () => {
  expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(['postgresql', 'temporal', 'temporal-ui', 'api', 'worker']));
  for (const name of ['postgresql', 'temporal', 'api', 'worker']) expect(compose.services[name]?.healthcheck, name).toBeDefined();
  for (const [name, service] of services) {
    for (const other of Object.keys(service.depends_on ?? {})) expect(Object.keys(compose.services), `${name} waits for ${other}`).toContain(other);
  }
});

test('api and worker read every variable that the compose file gives them', () => {
  const sources = ['schemas/environment.ts', ...(existsSync('worker/main.ts') ? ['worker/main.ts'] : [])].map((file) => readFileSync(file, 'utf8')).join('\n');
  const given = Object.keys(compose.services['api']?.environment ?? {}).filter((name) => !name.startsWith('TEMPORAL_'));
  expect(given.length).toBeGreaterThan(3);
  expect(given.filter((name) => !sources.includes(name))).toEqual([]);
});

test('the Dockerfile copies what exists, each runtime folder, and .dockerignore lets all of it through', () => {
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((match) => (match[1] ?? '').split(' '));
  expect(copied.filter((path) => !existsSync(path))).toEqual([]);
  expect(copied).toEqual(expect.arrayContaining([...Object.keys(layerRules), 'cli']));
  const ignored = readFileSync('.dockerignore', 'utf8').split('\n');
  expect(copied.filter((path) => !ignored.includes(`!${path}`))).toEqual([]);
});

test('what the image starts imports nothing that the image lacks', () => {
  const copied = new Set([...Object.keys(layerRules), 'cli']);
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> };
  const seen = new Set<string>();
  const lacking: string[] = [];
  const waiting = ['cli/main.ts', 'api/main.ts', 'worker/main.ts'].filter((file) => existsSync(file));
  expect(waiting).not.toEqual([]);
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const { target, typeOnly } of importsOf(file, readFileSync(file, 'utf8'))) {
      if (typeOnly || target.startsWith('node:')) continue;
      // `dev` is for a clone of the project, and says so where it is none.
      if (file === 'cli/dev.ts' && target.startsWith('tools/')) continue;
      const [folder = ''] = target.split('/');
      const isFile = target.endsWith('.ts');
      if (isFile && copied.has(folder)) waiting.push(target);
      else if (isFile || !(target in dependencies)) lacking.push(`${file} imports ${target}`);
    }
  }
  expect(lacking).toEqual([]);
});
