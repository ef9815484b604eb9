/** Parts of the pages that the Temporal UI shows. Markdown takes lines for a list only after an empty one. */
export function list(items: readonly string[]): string[] {
  return items.length > 0 ? ['', ...items.map((item) => `- ${item}`)] : [];
}

export function code(words: string): string {
  return `\`${oneLine(words).replaceAll('`', "'")}\``;
}

/** Keeps an item one line. */
export function oneLine(words: string): string {
  return words.replaceAll(/[\r\n]+/g, ' ');
}
