import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectionBase } from '../../schemas/sink-schemas.ts';
import { sinkDefinitions } from '../../sinks/registry.ts';

/** What a destination cannot do without. */
const needed: Readonly<Record<string, object>> = { helm: { chart: { path: '/charts/web' } } };

describe.each(Object.entries(sinkDefinitions))('%s', (name, definition) => {
  test('is registered under its kind', () => expect(definition.kind).toBe(name));

  test('has its first layout as the default', () => {
    expect(definition.destination.parse(needed[name] ?? {}).layout).toBe(Object.keys(definition.layouts)[0]);
  });

  test('leaves the options that every sink has to the bundle', () => {
    const names = JSON.stringify(z.toJSONSchema(definition.options, { io: 'input', unrepresentable: 'any' }));
    for (const name of Object.keys(connectionBase.shape)) expect(names).not.toContain(`"${name}":`);
  });

  test('refuses unknown fields of a destination and of the connection', () => {
    expect(definition.destination.safeParse({ ...needed[name], colour: 'red' }).success).toBe(false);
    expect(definition.options.safeParse({ colour: 'red' }).success).toBe(false);
  });
});

test('the registry loads without the libraries of the systems', async () => {
  const script = `
    import { createRequire } from 'node:module';
    await import(${JSON.stringify(new URL('../../sinks/registry.ts', import.meta.url).href)});
    const { cache } = createRequire(import.meta.url);
    console.log(JSON.stringify(Object.keys(cache)));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  const loaded = JSON.parse(stdout) as string[];
  expect(loaded.filter((file) => /node_modules\/(ioredis|ssh2)\//.test(file))).toEqual([]);
});
