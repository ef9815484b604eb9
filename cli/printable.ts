/** Text from Git or a sink for a terminal: control characters, which could move the cursor or hide a line, are written out. */
export function printable(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (char) => {
    if (char === '\n') return '\\n';
    return `\\u${char.codePointAt(0)?.toString(16).padStart(4, '0') ?? ''}`;
  });
}
