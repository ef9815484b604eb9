import { printParseErrorCode, visit } from 'jsonc-parser';
import type { Node, Scalar } from '../../domain/value.ts';
import { MAX_DEPTH } from './document-limits.ts';
import { duplicateKey, exactInteger, type SourceText } from './source-text.ts';

interface Open {
  readonly node:
    | { kind: 'map'; readonly entries: Map<string, Node>; readonly origin: Node['origin'] }
    | { kind: 'list'; readonly items: Node[]; readonly origin: Node['origin'] };
  /** The key that the next value belongs to, in a map. */
  key: string;
}

/** RFC 8259 and nothing more: no comments, no trailing commas, no key twice. Integers are exact. */
export function parseJson(source: SourceText): Node {
  const open: Open[] = [];
  let root: Node | undefined;

  function path(): string[] {
    return open.map(({ node, key }) => (node.kind === 'map' ? key : String(node.items.length)));
  }

  function add(node: Node): void {
    const parent = open.at(-1);
    if (!parent) root = node;
    else if (parent.node.kind === 'map') parent.node.entries.set(parent.key, node);
    else parent.node.items.push(node);
  }

  function begin(node: Open['node'], offset: number): void {
    if (open.length >= MAX_DEPTH) throw source.refuse(offset, `it is nested deeper than ${MAX_DEPTH} levels`);
    open.push({ node, key: '' });
  }

  function end(): void {
    const closed = open.pop();
    if (closed) add(closed.node);
  }

  visit(
    source.text,
    {
      onObjectBegin: (offset) => begin({ kind: 'map', entries: new Map(), origin: source.originAt(offset) }, offset),
      onArrayBegin: (offset) => begin({ kind: 'list', items: [], origin: source.originAt(offset) }, offset),
      onObjectEnd: end,
      onArrayEnd: end,
      onObjectProperty: (key, offset) => {
        const parent = open.at(-1);
        if (parent?.node.kind !== 'map') return;
        parent.key = key;
        const first = parent.node.entries.get(key);
        if (first) throw duplicateKey(source.originAt(offset), first.origin, path());
      },
      onLiteralValue: (value: unknown, offset, length) => {
        add({ kind: 'scalar', value: scalarOf(value, source, offset, length, path), origin: source.originAt(offset) });
      },
      onError: (code, offset) => {
        throw source.refuse(offset, `not valid JSON: ${words(printParseErrorCode(code))}`, path());
      },
    },
    { disallowComments: true, allowTrailingComma: false },
  );
  if (!root) throw source.refuse(0, 'not valid JSON: value expected');
  return root;
}

function scalarOf(value: unknown, source: SourceText, offset: number, length: number, path: () => string[]): Scalar {
  if (typeof value !== 'number') return value as Scalar;
  const text = source.text.slice(offset, offset + length);
  if (/^-?\d+$/.test(text)) return exactInteger(BigInt(text));
  if (!Number.isFinite(value)) throw source.refuse(offset, 'the number is too large for a float; quote it if it is text', path());
  return value;
}

/** `CommaExpected` as people say it. */
function words(code: string): string {
  return code.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).toLowerCase();
}
