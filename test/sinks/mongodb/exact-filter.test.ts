import { expect, test } from 'vitest';
import type { Tree } from '../../../sinks/mongodb/bson-tree.ts';
import { documentFilter } from '../../../sinks/mongodb/exact-filter.ts';

test('a filter names every field of a document and those that it must not have', () => {
  const document = new Map<string, Tree>([
    ['_id', 'one'],
    ['host', 'db1'],
    [
      '_vartrack',
      new Map<string, Tree>([
        ['ledger', '{}'],
        ['undo', 'large'],
      ]),
    ],
  ]);
  const filter = documentFilter(document, ['port', 'host']);
  expect([...filter.keys()]).toEqual(['_id', 'host', '_vartrack.ledger', 'port']);
  expect(plain(filter.get('port'))).toEqual({ $exists: false });
  expect(JSON.stringify(plain(filter))).not.toContain('large');
});

test('a document without a ledger must not have got one', () => {
  expect(plain(documentFilter(new Map([['_id', 'one']]), []))).toEqual({ _id: 'one', _vartrack: { $exists: false } });
});

// FerretDB takes no such names, so that this is what MongoDB 5.0 documents, and not more.
test('names that would read as a path or an operator are compared as names', () => {
  const filter = documentFilter(
    new Map<string, Tree>([
      ['_id', 'one'],
      ['a.b', 'x'],
      ['$c', null],
    ]),
    ['d.e'],
  );
  expect(plain(filter)).toEqual({
    _id: 'one',
    _vartrack: { $exists: false },
    $expr: {
      $and: [{ $eq: [{ $getField: { $literal: 'a.b' } }, { $literal: 'x' }] }, { $eq: [{ $getField: { $literal: '$c' } }, { $literal: null }] }],
    },
  });
});

function plain(tree: Tree | undefined): unknown {
  if (Array.isArray(tree)) return (tree as readonly Tree[]).map(plain);
  return tree instanceof Map ? Object.fromEntries([...(tree as ReadonlyMap<string, Tree>)].map(([name, child]) => [name, plain(child)])) : tree;
}
