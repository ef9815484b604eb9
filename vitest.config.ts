import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/global.ts'],
    pool: 'forks',
    // Most files wait for servers more than they compute.
    maxWorkers: 3,
    // The gate's machine is shared, and hundreds of these tests wait for real servers with a deadline. A test that fails twice in a row is no accident of load.
    retry: process.env['CI'] ? 1 : 0,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
