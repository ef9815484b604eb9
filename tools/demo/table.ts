import type { Printer } from './printer.ts';
import type { Step } from './steps.ts';

/** Every step in one line, its run's page below it. */
export function printTable(printer: Printer, steps: readonly Step[]): void {
  const header = ['step', 'commit', 'status', 'what was done', 'ms'];
  const rows = steps.map((step, index) => [`${index + 1}  ${step.title}`, step.commit.slice(0, 7), step.status, step.work, String(step.ms)]);
  const widths = header.map((title, column) => Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0), title.length));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  printer.heading(line(header));
  for (const [index, step] of steps.entries()) {
    printer.line(line(rows[index] ?? []));
    if (step.link) printer.line(`   ${printer.paint('dim', step.link)}`);
    for (const problem of step.wrong) printer.line(`   ${printer.paint('red', problem)}`);
  }
  const wrong = steps.filter((step) => step.wrong.length > 0).length;
  const verdict = wrong === 0 ? `All ${steps.length} steps ended as they should.` : `${wrong} of ${steps.length} steps did not end as they should.`;
  printer.heading(printer.paint(wrong === 0 ? 'green' : 'red', verdict));
}
