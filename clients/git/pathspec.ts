/**
 * A rule's file pattern as a git pathspec. Git's globs know `*`, `**`, `?` and `[…]`; a pattern that uses more (braces, groups) is widened to the
 * directory in front of it, so that the answer errs toward "touched".
 */
export function pathspec(pattern: string): string {
  if (!/[*?[\]\\{}()!|]/.test(pattern)) return `:(top,literal)${pattern}`;
  if (!/[{}()!|]/.test(pattern)) return `:(top,glob)${pattern}`;
  const plain = pattern.slice(0, pattern.search(/[*?[\]\\{}()!|]/));
  const directory = plain.slice(0, plain.lastIndexOf('/') + 1);
  return directory ? `:(top,literal)${directory}` : ':(top)';
}
