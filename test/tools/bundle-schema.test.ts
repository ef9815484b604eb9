import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { sinkDefinitions } from '../../sinks/registry.ts';
import { bundleJsonSchema, bundleSchemaFile } from '../../tools/bundle-schema.ts';
import { fakeSinks } from '../clients/fake-sinks.ts';

describe('the JSON Schema of the bundle', () => {
  test('is the one that the code makes (else run tools/bundle-schema.ts)', async () => {
    expect(await readFile(bundleSchemaFile, 'utf8')).toBe(bundleJsonSchema());
  });

  test('has a variant for each kind of sink', () => {
    const { $defs } = JSON.parse(bundleJsonSchema()) as { $defs: { Sink: { oneOf: { title: string }[] } } };
    expect(new Set($defs.Sink.oneOf.map(({ title }) => title))).toEqual(new Set(Object.keys(sinkDefinitions)));
  });

  test('says what fields are for', () => {
    expect(bundleJsonSchema()).toContain('A reference to a credential, never the credential');
  });

  const schema = z.fromJSONSchema(JSON.parse(bundleJsonSchema(fakeSinks)) as z.core.JSONSchema.JSONSchema);

  function bundle(sink: object, destination: object): unknown {
    const rule = { from: { repository: 'config', files: ['a.yaml'] }, environments: { branches: { main: 'production' } }, schema: 'none', to: [destination] };
    const repository = { provider: 'github', url: 'https://host/a.git', webhookSecret: { env: 'S' }, poll: 'off' };
    return { apiVersion: 'vartrack.dev/v1', tenants: { acme: { repositories: { config: repository }, sinks: { cache: sink }, rules: { settings: rule } } } };
  }

  const sink = { kind: 'redis', url: 'redis://cache' };
  const destination = { sink: 'cache', place: 'x' };

  test('takes what people write, without the defaults', () => {
    expect(schema.safeParse(bundle(sink, destination)).error).toBeUndefined();
    expect(schema.safeParse(bundle({ kind: 'linux', host: 'web1' }, { ...destination, format: 'json' })).error).toBeUndefined();
  });

  test.each([
    ['an unknown kind', bundle({ ...sink, kind: 'memcached' }, destination)],
    ['an option of another kind', bundle({ ...sink, host: 'web1' }, destination)],
    ['a destination without place', bundle(sink, { sink: 'cache' })],
    ['an unknown field of a destination', bundle(sink, { ...destination, plce: 'x' })],
    ['a credential as text', bundle({ ...sink, password: 'hunter2' }, destination)],
  ])('refuses %s', (_, input) => {
    expect(schema.safeParse(input).success).toBe(false);
  });
});
