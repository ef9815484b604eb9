import { expect, test } from 'vitest';

import { summarize, type VitestReport } from '../../tools/test-summary.ts';

test('a run in which all passed is counted in one plain line', () => {
  expect(summarize(report(['passed', 'passed']))).toEqual({ line: '2 passed, 0 failed', details: [], ok: true });
});

test('skipped tests are counted and their suite is named', () => {
  expect(summarize(report(['passed', 'skipped', 'skipped']))).toEqual({
    line: '1 passed, 0 failed, 2 skipped',
    details: ['Skipped: the suite'],
    ok: true,
  });
});

test('one failed test fails the run', () => {
  expect(summarize(report(['passed', 'failed']))).toMatchObject({ line: '1 passed, 1 failed', ok: false });
});

test('a file that did not load is a failure, though none of its tests ran', () => {
  const broken = { name: '/x.test.ts', status: 'failed', assertionResults: [] };
  const summary = summarize({ testResults: [...report(['passed']).testResults, broken] });
  expect(summary).toEqual({ line: '1 passed, 1 failed', details: ['Did not load: /x.test.ts'], ok: false });
});

test('a run without a single passed test is not a success', () => {
  expect(summarize({ testResults: [] }).ok).toBe(false);
  expect(summarize(report(['skipped'])).ok).toBe(false);
});

function report(statuses: readonly string[]): VitestReport {
  const status = statuses.includes('failed') ? 'failed' : 'passed';
  return {
    testResults: [
      { name: '/a.test.ts', status, assertionResults: statuses.map((each) => ({ status: each, ancestorTitles: ['the suite'], title: 'it works' })) },
    ],
  };
}
