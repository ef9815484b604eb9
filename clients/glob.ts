import { LRUCache } from 'lru-cache';
import picomatch from 'picomatch';

// One flavour for branches, tags and files, kept small so that a bundle reads the same everywhere: `*`, `**` (as a whole segment), `?`, `[…]`.
// Dot files match as they do for git's own globs; braces are the templates', and a leading `!` means itself.
// With the flag `s` a file whose name has a line break is seen as well, not silently left out.
const options = { dot: true, nobrace: true, noextglob: true, nonegate: true, flags: 's' } as const;

const compiled = new LRUCache<string, (text: string) => boolean>({ max: 2_000 });

/** Whether a ref name or a path matches a glob. `*` and `?` stay inside a segment; `a/**` is everything below `a`, and not `a` itself. */
export function matchGlob(pattern: string, text: string): boolean {
  let matches = compiled.get(pattern);
  if (!matches) {
    matches = compile(pattern);
    compiled.set(pattern, matches);
  }
  return matches(text);
}

function compile(pattern: string): (text: string) => boolean {
  const matches = picomatch(pattern, options);
  if (!pattern.endsWith('/**')) return (text) => matches(text);
  const parent = picomatch(pattern.slice(0, -3), options);
  return (text) => matches(text) && !parent(text);
}
