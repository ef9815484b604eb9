import { isTreeList, isTreeMap, type Tree, type TreeMap } from './bson-tree.ts';
import { OWN_FIELD } from './place-names.ts';

/** The names of numeric types; `$eq` takes 5 for 5, whatever type it has. */
const NUMBERS: Readonly<Record<string, string>> = { Int32: 'int', Double: 'double', Decimal128: 'decimal' };

/** A condition on one field: it is this very value, not a list that has the value in it; undefined is absent. */
export function isExactly(value: Tree | undefined): Tree {
  if (value === undefined) return new Map([['$exists', false]]);
  if (isTreeList(value))
    return new Map<string, Tree>([
      ['$eq', value],
      ['$size', BigInt(value.length)],
    ]);
  // Null equals absent otherwise.
  if (value === null)
    return new Map<string, Tree>([
      ['$type', 'null'],
      ['$not', new Map([['$type', 'array']])],
    ]);
  const type = typeof value === 'bigint' ? 'long' : typeof value === 'object' && '_bsontype' in value ? NUMBERS[value._bsontype] : undefined;
  return new Map<string, Tree>([['$eq', value], ...(type === undefined ? [] : [['$type', type] as const]), ['$not', new Map([['$type', 'array']])]]);
}

/** The document if it is still as it was read; `absent` are names of fields that it must not have got since. */
export function documentFilter(document: TreeMap, absent: readonly string[]): TreeMap {
  const filter = new Map<string, Tree>();
  const expressions: Tree[] = [];
  for (const [name, value] of document) {
    if (name === '_id') filter.set(name, value);
    else if (name === OWN_FIELD) for (const [path, condition] of ownConditions(value)) filter.set(path, condition);
    // Such a name reads as a path or an operator where a name is expected.
    else if (name.includes('.') || name.startsWith('$')) expressions.push(fieldEquals(name, value));
    else filter.set(name, isExactly(value));
  }
  for (const name of [...absent, OWN_FIELD]) if (!document.has(name) && !name.includes('.')) filter.set(name, isExactly(undefined));
  if (expressions.length > 0) filter.set('$expr', new Map([['$and', expressions]]));
  return filter;
}

/** The ledger says it all: it is another one after every write. The undo record beside it can be large. */
function ownConditions(own: Tree): readonly (readonly [string, Tree])[] {
  const ledger = isTreeMap(own) ? own.get('ledger') : undefined;
  return ledger === undefined ? [[OWN_FIELD, isExactly(own)]] : [[`${OWN_FIELD}.ledger`, isExactly(ledger)]];
}

function fieldEquals(name: string, value: Tree): Tree {
  const field = new Map([['$getField', new Map([['$literal', name]])]]);
  return new Map([['$eq', [field, new Map([['$literal', value]])]]]);
}
