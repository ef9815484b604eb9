import { describe, expect, it } from 'vitest';
import { unite } from '../../domain/unite.ts';
import { valueOf } from '../../domain/value.ts';
import { mapOf, plain } from './nodes.ts';

describe('the files of a glob', () => {
  it('are one document, maps joined', () => {
    const united = unite([mapOf({ a: { b: 1 }, e: {} }), mapOf({ a: { c: 2 } }, 'b.yaml'), mapOf({ d: [3], e: { f: 1 } }, 'c.yaml')]);
    expect(plain(valueOf(united ?? mapOf({})))).toEqual({ a: { b: 1, c: 2 }, d: [3], e: { f: 1 } });
  });

  it('are nothing when there are none', () => {
    expect(unite([])).toBeUndefined();
  });

  it('are refused when two define a key, also with the same value, naming both', () => {
    const files = [mapOf({ a: { b: 1 }, c: [1] }, 'a.yaml', 2), mapOf({ a: { b: 1 } }, 'b.yaml', 3), mapOf({ c: { d: 1 } }, 'c.yaml', 4)];
    expect(() => unite(files)).toThrow(
      'b.yaml:3:1 a.b: a.yaml:2:1 defines it too, and files of one glob have no order; keep one, or list the files by name\n' +
        'c.yaml:4:1 c: a.yaml:2:1 defines it too, and files of one glob have no order; keep one, or list the files by name',
    );
  });
});
