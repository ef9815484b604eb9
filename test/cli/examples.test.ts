import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { sinkDefinitions } from '../../sinks/registry.ts';
import { vartrack } from './vartrack.ts';

test.each(['vartrack.yaml', 'nine-sinks.yaml'])('examples/%s is a bundle without a problem', async (name) => {
  const { exitCode, stdout, stderr } = await vartrack(['check', `examples/${name}`]);
  expect(exitCode, stdout + stderr).toBe(0);
});

test('examples/nine-sinks.yaml shows a sink of each kind, and a destination at each', async () => {
  const { tenants } = parse(await readFile('examples/nine-sinks.yaml', 'utf8')) as {
    tenants: { acme: { sinks: Record<string, { kind: string }>; rules: { settings: { to: { sink: string }[] } } } };
  };
  const { sinks, rules } = tenants.acme;
  const shown = rules.settings.to.flatMap(({ sink }) => sinks[sink]?.kind ?? []);
  expect(shown.toSorted()).toEqual(Object.keys(sinkDefinitions).toSorted());
});
