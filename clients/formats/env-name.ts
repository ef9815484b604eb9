import type { Path } from '../../domain/value.ts';
import { cannotRender } from './rendering.ts';

/**
 * The name of an environment variable for a path: upper case, steps joined by `_`, `.` and `-` as `_`. Paths may meet in one name; see `findCollisions`.
 * Throws InvalidInput where no POSIX name comes of it.
 */
export function envName(path: Path): string {
  const name = path.join('_').replaceAll(/[.-]/g, '_').toUpperCase();
  if (!/^[A-Z_][A-Z0-9_]*$/.test(name))
    throw cannotRender(path, 'it cannot be the name of an environment variable, which takes letters, digits and _ and starts with no digit');
  return name;
}
