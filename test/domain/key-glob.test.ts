import { describe, expect, test } from 'vitest';
import { matchesKey } from '../../domain/key-glob.ts';

describe('patterns over dotted keys', () => {
  test.each([
    ['legacy.*', 'legacy.a'],
    ['legacy.*', 'legacy.a.b'],
    ['legacy.**', 'legacy.a.b'],
    ['legacy', 'legacy'],
    ['legacy', 'legacy.a'],
    ['*.password', 'db.password'],
    ['**.password', 'a.b.password'],
    ['**.password', 'password'],
    ['a.b*', 'a.bcd.e'],
    ['a.**.z', 'a.b.c.z'],
    ['a\\.b.*', 'a\\.b.c'],
    ['a\\*', 'a*'],
    ['**', 'anything'],
    ['*', 'anything.below'],
  ])('%s covers %s', (pattern, key) => {
    expect(matchesKey(pattern, key)).toBe(true);
  });

  test.each([
    ['legacy.*', 'legacy'],
    ['legacy.**', 'legacy'],
    ['legacy.*', 'legacyx.a'],
    ['legacy', 'legacyx'],
    ['*.password', 'a.b.password'],
    ['a\\.b', 'a.b'],
    ['a.b', 'a\\.b'],
    ['a\\*', 'ab'],
    ['a.c', 'a+c'],
  ])('%s does not cover %s', (pattern, key) => {
    expect(matchesKey(pattern, key)).toBe(false);
  });
});
