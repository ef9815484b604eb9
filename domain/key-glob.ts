import { literalPattern } from './literal-pattern.ts';
import { parsePath } from './value.ts';

/**
 * Whether a pattern of `protect` or `ignore` covers a dotted key. `*` stands for any text inside one name, `**` for any number of names, and what
 * covers a key covers everything below it: `legacy`, `legacy.*` and `legacy.**` all cover `legacy.a.b`; only the first covers `legacy` itself.
 */
export function matchesKey(pattern: string, key: string): boolean {
  return covers(splitPattern(pattern), parsePath(key));
}

/** Tells the keys that some pattern covers. */
export function coveredBy(patterns: readonly string[]): (key: string) => boolean {
  return (key) => patterns.some((pattern) => matchesKey(pattern, key));
}

/** Like parsePath, but keeps `\*` for a literal star. */
function splitPattern(pattern: string): string[] {
  return pattern.match(/(?:\\.|[^.\\])+/gs) ?? [];
}

function covers(pattern: readonly string[], names: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return true;
  if (first === '**') return names.length > 0 && (rest.length === 0 || names.some((_, skipped) => covers(rest, names.slice(skipped))));
  const [name, ...below] = names;
  return name !== undefined && nameExpression(first).test(name) && covers(rest, below);
}

function nameExpression(pattern: string): RegExp {
  const source = pattern.replaceAll(/\\(.)|(\*)|[^*\\]+/gs, (text: string, escaped: string | undefined, star: string | undefined) => {
    if (escaped !== undefined) return literalPattern(escaped);
    return star === undefined ? literalPattern(text) : '.*';
  });
  return new RegExp(`^${source}$`, 's');
}
