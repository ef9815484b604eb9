import { glob, readFile } from 'node:fs/promises';

import { describe, expect, test } from 'vitest';

import { importsOf } from './layers/imports-of.ts';
import { violations } from './layers/violations.ts';

test('every source file imports only what its layer may', async () => {
  const files: string[] = [];
  for await (const file of glob('**/*.{ts,mts,js,mjs}', { exclude: (path) => /(^|\/)(node_modules|\.git|engine)(\/|$)/.test(path) })) files.push(file);
  expect(files).toContain('domain/plan.ts');
  const found = await Promise.all(files.map(async (file) => violations(file, await readFile(file, 'utf8'))));
  expect(found.flat()).toEqual([]);
});

describe('a planted violation is found', () => {
  const planted: readonly [file: string, text: string, problem: string][] = [
    ['domain/x.ts', "import { readFile } from 'node:fs';", 'domain/x.ts:1 may not import node:fs'],
    ['domain/x.ts', "import type { Sink } from '../sinks/sink.ts';", 'domain/x.ts:1 may not import sinks/sink.ts (as a type)'],
    ['schemas/x.ts', "\nexport * from '../clients/git.ts';", 'schemas/x.ts:2 may not import clients/git.ts'],
    ['sinks/redis.ts', "import { connect } from './linux.ts';", 'sinks/redis.ts:1 may not import sinks/linux.ts'],
    ['sinks/redis/scripts.ts', "import { Client } from 'ssh2';", 'sinks/redis/scripts.ts:1 may not import ssh2'],
    ['sinks/redis.ts', "const x = await import('@temporalio/client');", 'sinks/redis.ts:1 may not import @temporalio/client'],
    ['clients/git.ts', "import { Client } from '@temporalio/client';", 'clients/git.ts:1 may not import @temporalio/client'],
    ['workflows/x.ts', "import { apply } from '../activities/apply-target.ts';", 'workflows/x.ts:1 may not import activities/apply-target.ts'],
    ['workflows/x.ts', "import { createHash } from 'node:crypto';", 'workflows/x.ts:1 may not import node:crypto'],
    ['workflows/x.ts', "import { z } from 'zod';", 'workflows/x.ts:1 may not import zod'],
    ['activities/x.ts', "import { sync } from '../workflows/sync.ts';", 'activities/x.ts:1 may not import workflows/sync.ts'],
    ['worker/x.ts', "import { app } from '../api/app.ts';", 'worker/x.ts:1 may not import api/app.ts'],
    ['api/x.ts', "import { redis } from '../sinks/redis.ts';", 'api/x.ts:1 may not import sinks/redis.ts'],
    ['cli/x.ts', "import { fake } from '../test/fake.ts';", 'cli/x.ts:1 may not import test/fake.ts'],
    ['utils/x.ts', '', 'utils/x.ts: no layer is called utils'],
  ];

  test.each(planted)('%s: %s', (file, text, problem) => {
    expect(violations(file, text)).toEqual([problem]);
  });
});

test('types may cross where values may not', () => {
  expect(violations('workflows/x.ts', "import type { Activities } from '../activities/index.ts';")).toEqual([]);
  expect(violations('workflows/x.ts', "import { type Activities } from '../activities/index.ts';")).not.toEqual([]);
});

test('every form of import is seen, with its line', () => {
  const text = [
    "import a from 'a/deep';",
    "import type { B } from '@b/b/deep';",
    "export { c } from './c.ts';",
    "export * from 'd';",
    "export type { E } from '../e.ts';",
    "import 'f';",
    "const g = await import('node:fs');",
    'export const h = 1;',
  ].join('\n');
  const seen = importsOf('domain/x/y.ts', text).map(({ target, line, typeOnly }) => `${line} ${target}${typeOnly ? ' type' : ''}`);
  expect(seen.toSorted()).toEqual(['1 a', '2 @b/b type', '3 domain/x/c.ts', '4 d', '5 domain/e.ts type', '6 f', '7 node:fs']);
});
