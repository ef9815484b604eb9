import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { overlay } from '../../domain/merge.ts';
import { nodeAt, originAt, toJson, valueOf, type MapNode, type Value } from '../../domain/value.ts';
import { documents, plainKey } from '../clients/formats/values.ts';
import { mapOf, plain } from './nodes.ts';

const json = (node: MapNode): string => toJson(valueOf(node), 'sorted');
const nullFree = documents({ key: fc.oneof(plainKey, fc.constantFrom('a', 'b', '__proto__')), nulls: false });
const any = documents({ key: fc.oneof(plainKey, fc.constantFrom('a', 'b', 'c', '__proto__')), nulls: true });

/** The law in other words: RFC 7386, on values. */
function mergePatch(target: Value | undefined, patch: Value): Value {
  if (!(patch instanceof Map)) return patch;
  const result = new Map(target instanceof Map ? target : []);
  for (const [key, value] of patch) {
    if (value === null) result.delete(key);
    else result.set(key, mergePatch(result.get(key), value));
  }
  return result;
}

describe('an overlay', () => {
  it('merges maps, replaces lists and removes what is null', () => {
    const base = mapOf({ a: { b: 1, c: 2, l: [1, 2] }, d: 3, e: { f: 1 } });
    const top = mapOf({ a: { c: null, l: [3], n: { x: null, y: 1 } }, d: { z: 1 }, e: null, g: null }, 'b.yaml');
    expect(plain(valueOf(overlay(base, top)))).toEqual({ a: { b: 1, l: [3], n: { y: 1 } }, d: { z: 1 } });
  });

  it('keeps where each value was written', () => {
    const merged = overlay(mapOf({ a: { b: 1, c: 2 } }, 'a.yaml', 3), mapOf({ a: { c: 4 } }, 'b.yaml', 5));
    expect(nodeAt(merged, ['a', 'b'])?.origin).toMatchObject({ file: 'a.yaml', line: 3 });
    expect(nodeAt(merged, ['a', 'c'])?.origin).toMatchObject({ file: 'b.yaml', line: 5 });
    expect(originAt(merged, ['a', 'missing'])).toMatchObject({ file: 'b.yaml' });
  });

  it('keeps a null inside of a list', () => {
    expect(plain(valueOf(overlay(mapOf({}), mapOf({ a: [null, { b: null }] }))))).toEqual({ a: [null, { b: null }] });
  });

  it('is the merge patch of RFC 7386', () => {
    fc.assert(
      fc.property(any, any, (base, top) => {
        expect(json(overlay(mapOf(base), mapOf(top)))).toBe(toJson(mergePatch(base, top), 'sorted'));
      }),
    );
  });

  it('of nothing changes nothing, and over nothing gives what is not null', () => {
    fc.assert(
      fc.property(any, nullFree, (value, clean) => {
        expect(json(overlay(mapOf(value), mapOf({})))).toBe(toJson(value, 'sorted'));
        expect(json(overlay(mapOf({}), mapOf(clean)))).toBe(toJson(clean, 'sorted'));
      }),
    );
  });

  it('done twice is the same as done once', () => {
    fc.assert(
      fc.property(any, any, (base, top) => {
        const once = overlay(mapOf(base), mapOf(top));
        expect(json(overlay(once, mapOf(top)))).toBe(json(once));
      }),
    );
  });
});
