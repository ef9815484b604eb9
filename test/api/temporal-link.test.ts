import { describe, expect, it } from 'vitest';
import { createTemporalLink } from '../../api/temporal-link.ts';
import { createLogger } from '../../clients/logger.ts';
import type { Temporal } from '../../clients/temporal.ts';

const logger = createLogger({ name: 'test', destination: { write: () => undefined } });

function fakeTemporal(onClose: () => void = () => undefined): Temporal {
  return { namespace: 'default', close: () => Promise.resolve(onClose()) } as unknown as Temporal;
}

describe('the link to Temporal', () => {
  it('throws until there is a connection, and goes on trying', async () => {
    let attempts = 0;
    const temporal = fakeTemporal();
    const link = createTemporalLink(() => (++attempts < 3 ? Promise.reject(new Error('refused')) : Promise.resolve(temporal)), logger, 1);
    expect(() => link.temporal()).toThrow(/no connection/);
    await expect.poll(() => attempts).toBe(3);
    await expect.poll(() => link.temporal()).toBe(temporal);
    await link.close();
  });

  it('stops trying when closed', async () => {
    const link = createTemporalLink(() => Promise.reject(new Error('refused')), logger, 3_600_000);
    await link.close();
    expect(() => link.temporal()).toThrow();
  });

  it('does not wait for an attempt when closed, and closes a connection that comes too late', async () => {
    let closed = 0;
    const { promise, resolve } = Promise.withResolvers<Temporal>();
    const link = createTemporalLink(() => promise, logger);
    await link.close();
    resolve(fakeTemporal(() => closed++));
    await expect.poll(() => closed).toBe(1);
    expect(() => link.temporal()).toThrow();
  });
});
