/** The part of Vitest's JSON report that is read. */
export interface VitestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly ancestorTitles: readonly string[]; readonly title: string }[];
  }[];
}

export interface TestSummary {
  /** `N passed, N failed` and `, N skipped` if any. */
  readonly line: string;
  /** Which suites were skipped and which files did not load. */
  readonly details: readonly string[];
  /** False if anything failed, a file did not load, or nothing ran. */
  readonly ok: boolean;
}

/** Counts a run. A file that failed outside its tests (a syntax error, a failing hook) counts as one failure. */
export function summarize(report: VitestReport): TestSummary {
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const passed = tests.filter((test) => test.status === 'passed').length;
  const failedTests = tests.filter((test) => test.status === 'failed').length;
  const skipped = tests.length - passed - failedTests;
  const brokenFiles = report.testResults.filter((file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'));
  const failed = failedTests + brokenFiles.length;
  const skippedTests = tests.filter((test) => test.status !== 'passed' && test.status !== 'failed');
  const skippedSuites = new Set(skippedTests.map((test) => test.ancestorTitles[0] || test.title));
  return {
    line: `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
    details: [...brokenFiles.map((file) => `Did not load: ${file.name}`), ...[...skippedSuites].map((title) => `Skipped: ${title}`)],
    ok: failed === 0 && passed > 0,
  };
}
