import { styleText } from 'node:util';

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

export interface Printer {
  heading(text: string): void;
  line(text?: string): void;
  /** Lines of a file or of a diff, set off from what is told about them. */
  quote(lines: readonly string[]): void;
  paint(style: Style, text: string): string;
}

/** Colour for a person's terminal; not one control character for a pipe, a log, or with NO_COLOR. */
export function createPrinter(stream: NodeJS.WriteStream, env: Readonly<Record<string, string | undefined>>): Printer {
  const colourful = stream.isTTY && !env['NO_COLOR'];
  const paint = (style: Style, text: string): string => (colourful ? styleText(style, text, { validateStream: false }) : text);
  const line = (text = ''): void => void stream.write(`${text}\n`);
  return {
    paint,
    line,
    heading: (text) => line(`\n${paint('bold', text)}`),
    quote(lines) {
      for (const text of lines) line(`     ${text.startsWith('+') ? paint('green', text) : text.startsWith('-') ? paint('red', text) : paint('dim', text)}`);
    },
  };
}
