import { defineConfig } from 'vitest/config';

/** Tests that leave nothing behind in their process: they share it, and what they import is loaded once, not once for each file. */
const TOGETHER = [
  'test/{domain,schemas}/**/*.test.ts',
  'test/api/webhook/*.test.ts',
  'test/clients/formats/*.test.ts',
  'test/sinks/*/{definition,options,place-names,*-error}.test.ts',
];

const each = {
  pool: 'forks',
  // The gate's machine is shared, and hundreds of these tests wait for real servers with a deadline. A test that fails twice in a row is no accident of load.
  retry: process.env['CI'] ? 1 : 0,
  testTimeout: 30_000,
  hookTimeout: 60_000,
} as const;

export default defineConfig({
  test: {
    // Of the run, not of its projects, which would each start a Temporal server.
    globalSetup: ['test/setup/global.ts'],
    // Most files wait for servers more than they compute.
    maxWorkers: 4,
    projects: [
      { test: { ...each, name: 'together', include: TOGETHER, isolate: false } },
      { test: { ...each, name: 'apart', include: ['test/**/*.test.ts'], exclude: TOGETHER } },
    ],
  },
});
