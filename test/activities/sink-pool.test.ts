import { describe, expect, it } from 'vitest';
import { createSinkPool } from '../../activities/sink-pool.ts';
import type { Bundle } from '../../domain/bundle.ts';
import type { Sink, SinkDefinition } from '../../sinks/sink.ts';
import { sinkDefinitions } from '../../sinks/registry.ts';

describe('connections of a worker', () => {
  it('are made once for each sink, also when many ask at the same time', async () => {
    const { pool, connected } = poolOf();
    const sinks = await Promise.all(Array.from({ length: 10 }, () => pool.get(bundleOf({ a: 1 }), 'acme', 'cache')));
    expect(new Set(sinks).size).toBe(1);
    expect(connected).toEqual([{ a: 1 }]);
  });

  it('are made anew and the old one closed when a reload changed their options', async () => {
    const { pool, connected, closed } = poolOf();
    await pool.get(bundleOf({ a: 1 }), 'acme', 'cache');
    await pool.get(bundleOf({ a: 1 }), 'acme', 'cache');
    await pool.get(bundleOf({ a: 2 }), 'acme', 'cache');
    expect(connected).toEqual([{ a: 1 }, { a: 2 }]);
    await expect.poll(() => closed).toEqual([{ a: 1 }]);
  });

  it('are not kept when they could not be made, and are dropped on request', async () => {
    const { pool, connected } = poolOf({ failures: 1 });
    await expect(pool.get(bundleOf({}), 'acme', 'cache')).rejects.toThrow('not yet');
    await pool.get(bundleOf({}), 'acme', 'cache');
    pool.drop('acme', 'cache');
    await pool.get(bundleOf({}), 'acme', 'cache');
    expect(connected).toHaveLength(3);
  });

  it('to a sink that the bundle does not have are an error that names it', async () => {
    const { pool } = poolOf();
    await expect(pool.get(bundleOf({}), 'acme', 'other')).rejects.toThrow('tenant acme has no sink other');
  });

  it('are all closed in the end', async () => {
    const { pool, closed } = poolOf();
    await pool.get(bundleOf({}), 'acme', 'cache');
    await pool.close();
    expect(closed).toHaveLength(1);
  });
});

function poolOf({ failures = 0 } = {}) {
  const connected: unknown[] = [];
  const closed: unknown[] = [];
  const definition: SinkDefinition = {
    ...sinkDefinitions.redis,
    connect(options) {
      connected.push(options);
      if (connected.length <= failures) return Promise.reject(new Error('not yet'));
      const close = (): Promise<void> => {
        closed.push(options);
        return Promise.resolve();
      };
      return Promise.resolve({ close } as Sink);
    },
  };
  return { pool: createSinkPool({ fake: definition }, () => Promise.resolve('')), connected, closed };
}

function bundleOf(options: unknown): Bundle {
  const tenant = { repositories: {}, secretManagers: {}, rules: {}, sinks: { cache: { kind: 'fake', options } } };
  return { settings: { allowFileRepositories: false }, tenants: { acme: tenant } };
}
