import { expect, test } from 'vitest';
import type { Value } from '../../../domain/value.ts';
import { redis } from '../../../sinks/redis.ts';

const text = (layout: 'hash' | 'keys' | 'json', value: Value) => redis.render({ path: ['redis', 'max.size'], value }, { layout });

test('a key is the dotted path, and a value the text that stands in Redis', () => {
  expect(text('hash', 5)).toMatchObject({ key: 'redis.max\\.size', text: '5' });
  expect(text('keys', '5')).toMatchObject({ key: 'redis.max\\.size', text: '5' });
  expect(text('json', '5').text).toBe('"5"');
});

test('two documents that differ only in the order of a nested map are equal', () => {
  const [one, other] = [new Map([['a', 1]]).set('b', 2), new Map([['b', 2]]).set('a', 1)];
  expect(text('json', [one]).text).toBe(text('json', [other]).text);
});

test('what Redis would take and not give back is refused', () => {
  expect(() => text('hash', '\ud800')).toThrow(expect.objectContaining({ reason: 'unsupported' }));
  expect(() => redis.render({ path: [':vartrack'], value: 'x' }, { layout: 'keys' })).toThrow(expect.objectContaining({ reason: 'unsupported' }));
  expect(redis.render({ path: [':vartrack'], value: 'x' }, { layout: 'hash' }).key).toBe(':vartrack');
});

test('a value and a place that are too large are refused with their limit', () => {
  expect(() => text('hash', 'x'.repeat(64 * 1024 * 1024 + 1))).toThrow(expect.objectContaining({ reason: 'too-large' }));
  const large = { ...text('hash', 'x'), text: 'x'.repeat(60 * 1024 * 1024) };
  expect(redis.limitProblem([large], { layout: 'json' })).toBeNull();
  expect(redis.limitProblem([large, large], { layout: 'json' })).toContain('67108864');
  expect(redis.limitProblem([large, large], { layout: 'hash' })).toBeNull();
  expect(
    redis.limitProblem(
      Array.from({ length: 5 }, () => large),
      { layout: 'hash' },
    ),
  ).toContain('268435456');
  expect(
    redis.limitProblem(
      Array.from({ length: 100_001 }, () => text('hash', 'x')),
      { layout: 'hash' },
    ),
  ).toContain('100000');
});

test('one name is one target, whatever the layout', () => {
  expect(redis.identity('acme', { layout: 'hash' })).toBe(redis.identity('acme', { layout: 'json' }));
});

test.each([
  ['hosts in capitals and the default port', { url: 'redis://Cache' }, { url: 'rediss://cache:6379/0' }],
  ['nodes in another order', { cluster: { nodes: ['redis://b', 'redis://a'] } }, { cluster: { nodes: ['redis://a', 'redis://b', 'redis://c'] } }],
  ['a node of a cluster alone', { cluster: { nodes: ['redis://a'] } }, { url: 'redis://a' }],
  ['sentinels in another order', sentinels('main', 'b', 'a'), sentinels('main', 'a', 'b')],
])('options with %s are one system (I11)', (_what, one, other) => {
  expect(redis.system(redis.options.parse(one))).toBe(redis.system(redis.options.parse(other)));
});

test.each([
  ['databases', { url: 'redis://a/1' }, { url: 'redis://a/2' }],
  ['names of primaries', sentinels('main', 'a'), sentinels('other', 'a')],
])('options with other %s are two systems', (_what, one, other) => {
  expect(redis.system(redis.options.parse(one))).not.toBe(redis.system(redis.options.parse(other)));
});

test('a prefix needs a hash tag on a cluster, and nothing else does', () => {
  const [cluster, single] = [redis.options.parse({ cluster: { nodes: ['redis://a'] } }), redis.options.parse({ url: 'redis://a' })];
  expect(redis.placeProblem('acme:', { layout: 'keys' }, cluster)).toContain('hash tag');
  expect(redis.placeProblem('{acme}:', { layout: 'keys' }, cluster)).toBeNull();
  expect(redis.placeProblem('acme', { layout: 'hash' }, cluster)).toBeNull();
  expect(redis.placeProblem('acme:', { layout: 'keys' }, single)).toBeNull();
});

function sentinels(name: string, ...hosts: readonly string[]): object {
  return { sentinel: { name, nodes: hosts.map((host) => `redis://${host}`) } };
}
