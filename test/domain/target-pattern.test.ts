import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyNumber, anySlug, canBegin, canMeet, formatPattern, sampleOf, slugTail } from '../../domain/target-pattern.ts';

describe('patterns of targets', () => {
  test.each([
    ['a', 'a'],
    [`a:${anySlug}`, 'a:production'],
    [`a:pr-${anyNumber}`, `a:${anySlug}`],
    [`${anySlug}:x`, `y:${anySlug}`],
    [`rc${slugTail}`, 'rc'],
    [`release${slugTail}:a`, 'release-1:a'],
    [`${anySlug}-b`, `a-${anySlug}`],
    [`${slugTail}${slugTail}`, ''],
  ])('%j can meet %j', (a, b) => {
    expect(canMeet(a, b)).toBe(true);
    expect(canMeet(b, a)).toBe(true);
  });

  test.each([
    ['a', 'b'],
    [`a:${anySlug}`, 'a:'],
    [`a:${anySlug}`, 'a:b:c'],
    [`pr-${anyNumber}`, 'pr-x'],
    [`pr-${anyNumber}`, 'production'],
    [`${anySlug}:x`, `${anySlug}:y`],
    [`rc${slugTail}`, 'r'],
    [`acme:${anySlug}`, `other:${anySlug}`],
  ])('%j cannot meet %j', (a, b) => {
    expect(canMeet(a, b)).toBe(false);
    expect(canMeet(b, a)).toBe(false);
  });

  test('are read by people, and have a name as an example', () => {
    expect(formatPattern(`acme:${anySlug}:pr-${anyNumber}${slugTail}`)).toBe('acme:…:pr-……');
    expect(sampleOf(`acme:${anySlug}:pr-${anyNumber}${slugTail}`)).toBe('acme:x:pr-1');
  });

  test('meet exactly where some short text matches both', () => {
    const part = fc.constantFrom('a', '1', '-', ':', anySlug, anyNumber, slugTail);
    const pattern = fc.array(part, { maxLength: 3 }).map((parts) => parts.join(''));
    const texts = words(['a', '1', '-', ':'], 5);
    fc.assert(
      fc.property(pattern, pattern, (a, b) => {
        const [left, right] = [expression(a), expression(b)];
        return canMeet(a, b) === texts.some((text) => left.test(text) && right.test(text));
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ['a/', 'a/b/', true],
    ['a/', 'a/', true],
    [`${anySlug}/`, `a/${anySlug}/c`, true],
    [`a/${anySlug}/`, `${anySlug}/b/${anySlug}`, true],
    [`a${slugTail}`, 'abc', true],
    ['a/b/', 'a/', false],
    [`a/${anySlug}/`, 'a/b', false],
    [`${anyNumber}/`, `a/${anySlug}`, false],
  ])('%j begins some name of %j: %j', (a, b, expected) => {
    expect(canBegin(a, b)).toBe(expected);
  });
});

function expression(pattern: string): RegExp {
  return new RegExp(`^${pattern.replaceAll(anySlug, '[a1-]+').replaceAll(anyNumber, '1+').replaceAll(slugTail, '[a1-]*')}$`);
}

/** Every text over an alphabet up to a length. Two patterns of three parts that meet do so in five characters: each but the first moves on in one of them. */
function words(alphabet: readonly string[], length: number): string[] {
  if (length === 0) return [''];
  const shorter = words(alphabet, length - 1);
  return [...new Set([...shorter, ...shorter.flatMap((text) => alphabet.map((letter) => text + letter))])];
}
