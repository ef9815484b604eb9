import { formatLogLine } from './format-log-line.ts';

const NAME_WIDTH = 8;

/** Takes what a process prints, in pieces as they come, and writes its lines behind its name. */
export function showLines(name: string, write: (text: string) => void): (text: string) => void {
  let begun = '';
  return (text) => {
    const lines = (begun + text).split('\n');
    begun = lines.pop() ?? '';
    for (const line of lines) write(`${name.toLowerCase().padEnd(NAME_WIDTH)} | ${formatLogLine(line)}\n`);
  };
}
