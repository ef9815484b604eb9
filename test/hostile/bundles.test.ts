import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isMap, isPair, isScalar, isSeq, parseDocument, type Document, type Node, type Pair } from 'yaml';
import { parseBundle } from '../../clients/bundle.ts';
import type { Origin } from '../../domain/value.ts';
import { sinkDefinitions } from '../../sinks/registry.ts';
import { fuzzRuns } from './fuzz-runs.ts';

// Anything anywhere in a JSON bundle is test/clients/bundle-mutations.test.ts. This is YAML as people (and their tools) break it.

const example = readFileSync(new URL('../../examples/vartrack.yaml', import.meta.url), 'utf8');
const ODD = [
  '../../etc', '-x', '$(id)', '{env}{env}', '{', '}', '{unknown}', '\u202E', 'é', 'a\u0301', '\0', '__proto__', 'constructor', 'x'.repeat(10_000),
  '99999999999999999999s', '0s', '-1s', '1e9h', 'redis://', 'file:///', 'https://[::1', '[', '**', '*'.repeat(200), '[z-a]', '%', '101%', '-1%',
] as const; // prettier-ignore
const values = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, -1, 2 ** 53, 1e308, Number.NaN, Number.POSITIVE_INFINITY, new Date(0), [], {}, [[]], { '': '' }),
  fc.constantFrom<unknown>(...ODD),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Refused or taken, never thrown; every problem with its place in the text. */
function checked(text: string): void {
  const lines = text.split(/\r\n|\r|\n/);
  const { bundle, problems } = parseBundle(text, 'vartrack.yaml', sinkDefinitions);
  expect(bundle === null).toBe(problems.length > 0);
  const isPlaced = ({ file, line, column }: Origin): boolean => file === 'vartrack.yaml' && line >= 1 && line <= lines.length && column >= 1;
  expect(problems.filter(({ origin, message }) => !origin || !isPlaced(origin) || /undefined|\[object|NaN\b/.test(message))).toEqual([]);
}

type Spot = { readonly pair: Pair<Node, Node>; readonly items: unknown[] } | { readonly index: number; readonly items: unknown[] };

function spotsOf(node: unknown): Spot[] {
  if (isMap<Node, Node>(node)) return node.items.flatMap((pair): Spot[] => [{ pair, items: node.items }, ...spotsOf(pair.value)]);
  if (isSeq(node)) return node.items.flatMap((item, index): Spot[] => [{ index, items: node.items }, ...spotsOf(item)]);
  return [];
}

const mutation = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom('delete', 'duplicate', 'replace', 'rename', 'alias', 'move'),
  by: values,
  name: fc.constantFrom<unknown>(...ODD, null, 7, [], {}),
});

function mutate(document: Document, { at, kind, by, name }: { at: number; kind: string; by: unknown; name: unknown }): void {
  const spots = spotsOf(document.contents);
  const spot = spots[at % Math.max(spots.length, 1)];
  if (!spot) return;
  const { items } = spot;
  const index = 'pair' in spot ? items.indexOf(spot.pair) : spot.index;
  if (kind === 'delete') items.splice(index, 1);
  else if (kind === 'duplicate') items.push((items[index] as Node).clone());
  else if (kind === 'move') {
    const other = spots[(at * 7 + 3) % spots.length];
    if (other && isPair(items[index]) === isPair(other.items[0])) other.items.push((items[index] as Node).clone());
  } else if ('pair' in spot) {
    if (kind === 'rename') spot.pair.key = document.createNode(name) as Node;
    else if (kind === 'replace') spot.pair.value = document.createNode(by) as Node;
    else if (isScalar(spot.pair.value)) spot.pair.value = document.createAlias(spot.pair.value, 'a') as unknown as Node;
  } else if (kind !== 'alias') items[index] = document.createNode(by);
}

describe('a bundle', () => {
  it('is sound before it is broken', () => {
    expect(parseBundle(example, 'vartrack.yaml', sinkDefinitions).problems).toEqual([]);
  });

  it('with nodes deleted, doubled, moved, renamed or replaced is taken or refused, with a line and a column', () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.boolean(), (mutations, flow) => {
        const document = parseDocument(example);
        for (const each of mutations) mutate(document, each);
        let text: string;
        try {
          text = flow ? document.toString({ collectionStyle: 'flow' }) : document.toString();
        } catch {
          return; // No text has this tree.
        }
        checked(text);
      }),
      { numRuns: fuzzRuns(500) },
    );
  });

  it('with characters cut out, doubled or put in between is taken or refused, with a line and a column', () => {
    const piece = fc.constantFrom(
      '',
      '\t',
      '\n',
      '\r',
      ' ',
      ':',
      '-',
      '&a ',
      '*a',
      '!!binary ',
      '!x ',
      '<<: ',
      '? ',
      '|',
      '>',
      '"',
      "'",
      '{',
      '}',
      '[',
      ']',
      '#',
      '%YAML 1.1\n',
      '---\n',
      '...\n',
      '\0',
      '\uFEFF',
      '\ud800',
      '\u2028',
      '@',
      '`',
    );
    fc.assert(
      fc.property(fc.nat(example.length), fc.nat(40), piece, (at, length, put) => {
        checked(example.slice(0, at) + put + example.slice(at + length));
      }),
      { numRuns: fuzzRuns(500) },
    );
  });

  it.each([
    ['nothing', ''],
    ['only a comment', '# x\n'],
    ['a list', '- a\n'],
    [
      'an alias bomb',
      `a: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
        .split('')
        .map((name, n) => `${name}: &${name} [${`*${'abcdefghi'[n] ?? 'a'},`.repeat(10)}]`)
        .join('\n')}`,
    ],
    ['an alias of itself', 'tenants: &a { x: *a }\n'],
    ['bottomless lists', `tenants: ${'['.repeat(20_000)}`],
    ['bottomless maps', `tenants: ${'{a: '.repeat(5_000)}${'}'.repeat(5_000)}`],
    ['bottomless blocks', Array.from({ length: 2_000 }, (_, n) => `${' '.repeat(n)}a:`).join('\n')],
    ['a million characters', `tenants: "${'x'.repeat(1_000_000)}"`],
    ['20,000 tenants', `apiVersion: vartrack.dev/v1\ntenants:\n${Array.from({ length: 20_000 }, (_, n) => `  t${n}: {}`).join('\n')}`],
    ['5,000 unknown fields', Array.from({ length: 5_000 }, (_, n) => `f${n}: {}`).join('\n')],
    ['a map as a key', '? { a: 1 }\n: 2\n'],
    ['UTF-16 read as UTF-8', Buffer.from('\uFEFFapiVersion: x', 'utf16le').toString('utf8')],
  ])('that is %s is taken or refused within seconds', (_what, text) => {
    const start = performance.now();
    checked(text);
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});
