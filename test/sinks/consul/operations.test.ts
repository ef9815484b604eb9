import { describe, expect, test } from 'vitest';
import type { ItemChange } from '../../../sinks/cas/cas-store.ts';
import { decodeResults, encodeOperations, fitsTransaction, operationsOf } from '../../../sinks/consul/operations.ts';

const put = (name: string, size = 1): ItemChange => ({ action: 'put', name, expected: null, body: Buffer.alloc(size, 'x'), attributes: {} });

test('a put names the index that was read, 0 for an absent key', () => {
  const change = { ...put('a'), expected: '17', attributes: { flags: '9' } } as ItemChange;
  expect(encodeOperations(operationsOf(change))).toBe('[{"KV":{"Verb":"cas","Key":"a","Index":17,"Value":"eA==","Flags":9}}]');
  expect(encodeOperations(operationsOf(put('a')))).toBe('[{"KV":{"Verb":"cas","Key":"a","Index":0,"Value":"eA==","Flags":0}}]');
});

test('a delete checks the index first, since deleting an absent key succeeds', () => {
  const operations = operationsOf({ action: 'delete', name: 'a', expected: '17' });
  expect(operations.map(({ verb }) => verb)).toEqual(['check-index', 'delete-cas']);
});

test('a check is of the index, or of absence', () => {
  expect(operationsOf({ action: 'check', name: 'a', expected: '17' })).toEqual([{ verb: 'check-index', key: 'a', index: '17' }]);
  expect(operationsOf({ action: 'check', name: 'a', expected: null })).toEqual([{ verb: 'check-not-exists', key: 'a' }]);
});

test('an index or flags of 64 bits go through unchanged', () => {
  const flags = '18446744073709551615';
  const text = `{"Results":[{"KV":{"LockIndex":0,"Key":"a","Flags":${flags},"Value":"eA==","CreateIndex":1,"ModifyIndex":9007199254740993}}]}`;
  const item = decodeResults(text).get('a');
  expect(item).toEqual({ body: Buffer.from('x'), version: '9007199254740993', attributes: { flags } });
  const back = { action: 'put', name: 'a', expected: item?.version ?? null, body: Buffer.from('y'), attributes: item?.attributes ?? {} } as const;
  expect(encodeOperations(operationsOf(back))).toContain(`"Index":9007199254740993,"Value":"eQ==","Flags":${flags}`);
});

test('an empty value, an absent key and one that the token may not read are three things', () => {
  const results = decodeResults(
    '{"Results":[{"KV":{"Key":"empty","Flags":0,"Value":null,"ModifyIndex":5}},{"KV":{"Key":"absent","Flags":0,"Value":null,"ModifyIndex":0}}],"ResultsFilteredByACLs":true}',
  );
  expect(results.get('empty')?.body).toEqual(Buffer.alloc(0));
  expect(results.get('absent')).toBeNull();
  expect(results.get('hidden')).toBeUndefined();
});

test('a text that is no number is no index', () => {
  expect(() => encodeOperations([{ verb: 'check-index', key: 'a', index: '1}},{"KV":{"Verb":"delete"' }])).toThrow(TypeError);
});

describe('what one transaction takes', () => {
  const fits = (changes: readonly ItemChange[]) => fitsTransaction(changes.flatMap(operationsOf));

  test('is 64 operations', () => {
    const puts = Array.from({ length: 64 }, (_, index) => put(`k${index}`));
    expect(fits(puts)).toBe(true);
    expect(fits([...puts, put('one more')])).toBe(false);
  });

  test('is less than 512 KiB of text, whatever the names are', () => {
    const names = Array.from({ length: 60 }, (_, index) => `${'"\\\u0001ü'.repeat(50)}${index}`);
    for (let size = 1_000; size < 10_000; size += 500) {
      const changes = names.map((name) => put(name, size));
      if (fits(changes)) expect(encodeOperations(changes.flatMap(operationsOf)).length).toBeLessThanOrEqual(512 * 1024);
    }
    expect(fits(names.map((name) => put(name, 5_000)))).toBe(true);
    expect(fits(names.map((name) => put(name, 9_000)))).toBe(false);
  });
});
