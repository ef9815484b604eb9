import { styleText } from 'node:util';
import { printable } from './printable.ts';

/** Columns as wide as their widest cell, the last one as it is. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[], indent = ''): string[] {
  const cells = rows.map((row) => row.map(printable));
  const widths = header.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string => (indent + row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')).trimEnd();
  return [paint('dim', line(header)), ...cells.map(line)];
}

/** Colours only where a person looks: not in a pipe, not with NO_COLOR. */
export function paint(style: 'dim' | 'bold' | 'red' | 'green' | 'yellow', text: string): string {
  return styleText(style, text, { stream: process.stdout });
}
