import { describe, expect, it } from 'vitest';
import { assembleDocument, type Assembly } from '../../domain/assemble.ts';
import { valueOf } from '../../domain/value.ts';
import { mapOf, plain } from './nodes.ts';

const declared = new Set(['production', 'staging']);

function assembled(assembly: Partial<Assembly>): unknown {
  return plain(valueOf(assembleDocument({ groups: [], environment: 'production', declared, blocks: true, ...assembly })));
}

describe('the document of an environment', () => {
  it('is the selected subtree of each file, blocks resolved, files of a glob joined, later ones laid over earlier ones', () => {
    const groups = [
      { pattern: 'base.yaml', optional: false, nodes: [mapOf({ app: { a: { default: 1, production: 2 }, b: { x: 1, y: 1 } }, other: { staging: 1 } })] },
      { pattern: 'parts/*.yaml', optional: false, nodes: [mapOf({ app: { c: 1 } }), mapOf({ app: { b: { y: 2 } } })] },
      { pattern: 'production.yaml', optional: true, nodes: [] },
      { pattern: 'last.yaml', optional: true, nodes: [mapOf({ app: { c: null, d: 4 } })] },
    ];
    expect(assembled({ groups, select: 'app' })).toEqual({ a: 2, b: { x: 1, y: 2 }, d: 4 });
  });

  it('keeps blocks as they are where the rule turns them off', () => {
    expect(assembled({ groups: [{ pattern: 'a', optional: false, nodes: [mapOf({ a: { staging: 1 } })] }], blocks: false })).toEqual({ a: { staging: 1 } });
  });

  it('selects a literal dot, and only maps', () => {
    const groups = [{ pattern: 'a', optional: false, nodes: [mapOf({ 'v1.2': { a: { b: 1 } }, list: [{ a: 1 }] })] }];
    expect(assembled({ groups, select: 'v1\\.2.a' })).toEqual({ b: 1 });
    expect(assembled({ groups, select: 'list.0' })).toEqual({ a: 1 });
    expect(() => assembled({ groups, select: 'list' })).toThrow('a.yaml:1:1 list: select: takes a map, and this is none');
    expect(() => assembled({ groups, select: 'list.x' })).toThrow('a.yaml:1:1 list.x: select: takes this key, and the file does not have it');
  });

  it('is empty when everything was removed, or when all files are optional and absent', () => {
    const nodes = [mapOf({ a: 1 })];
    const groups = [
      { pattern: 'a', optional: false, nodes },
      { pattern: 'b', optional: false, nodes: [mapOf({ a: null })] },
    ];
    expect(assembled({ groups })).toEqual({});
    expect(assembled({ groups: [{ pattern: 'a', optional: true, nodes: [] }] })).toEqual({});
  });

  it('is refused with the problems of all files at once', () => {
    const groups = [
      { pattern: 'missing.yaml', optional: false, nodes: [] },
      { pattern: 'b.yaml', optional: false, nodes: [mapOf({ no: 1 }, 'b.yaml', 2)] },
      {
        pattern: '*.yaml',
        optional: false,
        nodes: [mapOf({ app: { a: 1 } }, 'c.yaml', 3), mapOf({ app: { a: 2, e: { staging: 1 } } }, 'd.yaml', 4), mapOf({ app: { a: 3 } }, 'e.yaml')],
      },
    ];
    expect(() => assembled({ groups, select: 'app' })).toThrow(
      [
        'no file missing.yaml at this commit; add it, or mark it as optional with a ? behind its name',
        'b.yaml:2:1 app: select: takes this key, and the file does not have it; add it ({} if it has nothing to say), or change select',
        'd.yaml:4:1 e: it is a block for each environment and has neither production nor default; add one of them, or set blocks: off in the rule',
        'e.yaml:1:1 a: c.yaml:3:1 defines it too, and files of one glob have no order; keep one, or list the files by name',
      ].join('\n'),
    );
  });
});
