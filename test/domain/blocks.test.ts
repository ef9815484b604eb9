import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveBlocks } from '../../domain/blocks.ts';
import { toJson, valueOf, type Value } from '../../domain/value.ts';
import { mapOf, plain } from './nodes.ts';

const declared = new Set(['production', 'staging']);
const resolved = (data: Record<string, unknown>, environment = 'production'): unknown => plain(valueOf(resolveBlocks(mapOf(data), environment, declared)));

describe('an environment block', () => {
  it('becomes the default with the part of the environment laid over it, at any depth', () => {
    const data = {
      a: { default: { x: 1, y: 2 }, production: { y: 3 } },
      b: { c: [{ production: 1, staging: 2 }] },
      d: { default: 5 },
      e: { staging: 1, production: null },
    };
    expect(resolved(data)).toEqual({ a: { x: 1, y: 3 }, b: { c: [1] }, d: 5, e: null });
    expect(() => resolved(data, 'staging')).not.toThrow();
  });

  it('is the whole document if that has only environments', () => {
    expect(resolved({ default: { a: 1 }, staging: { a: 2 } }, 'staging')).toEqual({ a: 2 });
    expect(() => resolved({ default: 1 })).toThrow('a.yaml:1:1: the block of production is the whole document and must be a map');
  });

  it('may hold blocks', () => {
    expect(resolved({ a: { default: { b: { production: 1, staging: 2 } }, production: { c: { default: 3 } } } })).toEqual({ a: { b: 1, c: 3 } });
  });

  it('takes away from the default what it says is null', () => {
    expect(resolved({ a: { default: { x: 1, y: 2 }, production: { x: null } } })).toEqual({ a: { y: 2 } });
  });

  it('is a plain map if one key is no environment, or if it has none', () => {
    expect(resolved({ a: { production: 1, other: 2 }, b: {} })).toEqual({ a: { production: 1, other: 2 }, b: {} });
  });

  it('without a part for the environment is refused, all of them at once', () => {
    expect(() => resolved({ a: { staging: 1 }, b: { c: { staging: 2 } } })).toThrow(
      'a.yaml:1:1 a: it is a block for each environment and has neither production nor default; add one of them, or set blocks: off in the rule\n' +
        'a.yaml:1:1 b.c: it is a block for each environment',
    );
  });

  it('never lets a value of another environment through', () => {
    const leaf = fc.constantFrom<unknown>(1, 'x', null, [1]);
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        leaf,
        fc.dictionary(fc.constantFrom('a', 'b'), tie('value'), { maxKeys: 2, noNullPrototype: true }),
        fc.record(
          { default: tie('value'), production: tie('value'), staging: fc.constant('LEAK') },
          { requiredKeys: ['staging', 'default'], noNullPrototype: true },
        ),
        fc.record({ production: tie('value'), staging: fc.constant({ a: 'LEAK' }) }, { noNullPrototype: true, requiredKeys: ['production', 'staging'] }),
        fc.array(tie('value'), { maxLength: 2 }),
      ),
    }));
    fc.assert(
      fc.property(value, (data) => {
        const result: Value = valueOf(resolveBlocks(mapOf({ root: data, plain: 1 }), 'production', declared));
        expect(toJson(result)).not.toContain('LEAK');
      }),
    );
  });
});
