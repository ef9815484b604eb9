import { describe, expect, test } from 'vitest';
import { matchGlob } from '../../clients/glob.ts';

describe('globs over refs and paths', () => {
  test.each([
    ['release/*', 'release/1.0'],
    ['*', 'main'],
    ['**', 'a/b/c'],
    ['feature/**', 'feature/a/b'],
    ['settings/*.yaml', 'settings/.hidden.yaml'],
    ['**/x.yaml', 'x.yaml'],
    ['v[0-9]*', 'v1.2'],
    ['{a,b}', '{a,b}'],
    ['!main*', '!main2'],
  ])('%s matches %s', (pattern, text) => {
    expect(matchGlob(pattern, text)).toBe(true);
  });

  test.each([
    ['release/*', 'release/1/x'],
    ['*', 'a/b'],
    ['feature/**', 'feature'],
    ['{a,b}*', 'a'],
    ['!main*', 'other'],
    ['v?', 'v10'],
    ['main', 'Main'],
  ])('%s does not match %s', (pattern, text) => {
    expect(matchGlob(pattern, text)).toBe(false);
  });

  test('sees names with line breaks', () => {
    expect(matchGlob('a/**', 'a/b\nc/d\n.yaml')).toBe(true);
    expect(matchGlob('a/*.yaml', 'a/\n.yaml')).toBe(true);
  });
});
