import { describe, expect, test } from 'vitest';
import { consul } from '../../../sinks/consul.ts';
import { consulOptions, systemOf } from '../../../sinks/consul/options.ts';
import { entriesOf } from '../contract/scenario.ts';

const options = (given: object) => consulOptions.parse({ url: 'https://consul:8501', ...given });

describe('options', () => {
  test.each([
    { url: 'consul:8500' },
    { url: 'ftp://consul' },
    { url: 'http://user:pass@consul' },
    { url: 'http://consul/v1' },
    { url: 'http://consul?token=x' },
    { url: 'http://consul#x' },
    { token: 'text' },
    { url: 'http://consul:8500', tls: {} },
    { tls: { cert: { env: 'C' } } },
    { datacenter: 'a b' },
    { unknown: 1 },
  ])('%j are refused', (given) => {
    expect(() => options(given)).toThrow();
  });

  test('one system has one name, whatever the credentials are', () => {
    expect(systemOf(options({ token: { env: 'A' } }))).toBe(systemOf(options({ token: { env: 'B' }, url: 'https://CONSUL:8501/' })));
    const others = [{ datacenter: 'x' }, { namespace: 'x' }, { partition: 'x' }, { url: 'https://other:8501' }, {}];
    expect(new Set(others.map((given) => systemOf(options(given)))).size).toBe(others.length);
  });
});

test('keys of a place are anywhere below it only where folders are made of their paths', () => {
  const reaches = (given: object) => consul.reachesBelow?.(consul.destination.parse(given));
  expect(reaches({ separator: '/' })).toBe(true);
  expect([reaches({}), reaches({ layout: 'document', separator: '/' })]).toEqual([false, false]);
});

describe('limits are told before anything is written', () => {
  const fields = consul.destination.parse({});
  const document = consul.destination.parse({ layout: 'document' });
  const rendered = (values: Record<string, string>, as = fields) => entriesOf(values).map((entry) => consul.render(entry, as));

  test.each([
    [{ 'app\\.vartrack': 'x' }, 'unsupported'],
    [{ ['k'.repeat(601)]: 'x' }, 'too-large'],
    [{ key: 'x'.repeat(448 * 1024 + 1) }, 'too-large'],
    [{ key: '\ud800' }, 'unsupported'],
  ] as const)('of a key (case %#)', (values, reason) => {
    expect(() => rendered(values)).toThrow(expect.objectContaining({ reason }));
  });

  test('of a prefix', () => {
    const many = Object.fromEntries(Array.from({ length: 5_001 }, (_, index) => [`k${index}`, '']));
    expect(consul.limitProblem(rendered(many), fields)).toContain('5000');
    expect(consul.limitProblem(rendered({ a: 'x'.repeat(300_000), b: 'y'.repeat(300_000) }), fields)).toContain(String(448 * 1024));
    expect(consul.limitProblem(rendered({ a: 'x' }), fields)).toBeNull();
  });

  test('of a document', () => {
    expect(consul.limitProblem(rendered({ a: 'x'.repeat(600_000) }, document), document)).toContain(String(512 * 1024));
    expect(consul.limitProblem(rendered({ a: 'x'.repeat(300_000) }, document), document)).toBeNull();
  });
});
