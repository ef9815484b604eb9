import { beforeAll, describe, expect, it } from 'vitest';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { bundleWorkflows } from '../worker/bundle.ts';

describe('the workflow bundle, built with the production call', () => {
  let bundle: WorkflowBundleWithSourceMap;
  let code: string;
  beforeAll(async () => {
    bundle = await bundleWorkflows('plain');
    code = bundle.code.replace(/\n\/\/# sourceMappingURL=.*$/s, '');
  });

  it('is small: a worker evaluates it for every workflow that it does not have in its cache', () => {
    expect(code.length).toBeGreaterThan(100_000);
    expect(code.length).toBeLessThan(900_000);
  });

  it('holds the workflows and nothing that touches the outside', () => {
    for (const ours of ['./workflows/sync.ts', './workflows/drift-watch.ts', './domain/status.ts']) expect(code).toContain(ours);
    for (const outside of ['./clients/', './sinks/', './activities/', './schemas/', 'node_modules/zod/', 'node_modules/yaml/', 'node_modules/ioredis/']) {
      expect(code, outside).not.toContain(outside);
    }
  });
});
