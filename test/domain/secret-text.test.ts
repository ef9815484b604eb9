import { format, inspect } from 'node:util';
import { serialize } from 'node:v8';
import { MessageChannel } from 'node:worker_threads';

import { expect, test } from 'vitest';

import { SECRET_MARK, SecretText } from '../../domain/secret-text.ts';

const value = 'hunter2-Ω';

test.each<[string, (secret: SecretText) => unknown]>([
  ['toString', (secret) => secret.toString()],
  ['toLocaleString', (secret) => secret.toLocaleString()],
  ['a template literal', (secret) => `a ${secret as unknown as string}`.slice(2)],
  ['concatenation', (secret) => ['', secret as unknown as string].reduce((text, part) => text + part)],
  ['String', (secret) => String(secret)],
  ['Array.join', (secret) => [secret].join(',')],
  ['String.concat', (secret) => ''.concat(secret as unknown as string)],
  ['JSON.stringify', (secret) => JSON.parse(JSON.stringify(secret)) as unknown],
  ['JSON.stringify inside a structure', (secret) => (JSON.parse(JSON.stringify({ a: [secret] })) as { a: unknown[] }).a[0]],
  ['inspect', (secret) => inspect(secret)],
  ['format', (secret) => format('%s', secret)],
])('%s of a secret gives the mark', (_, use) => {
  expect(use(new SecretText(value))).toBe(SECRET_MARK);
});

test('nothing that looks inside finds the value', () => {
  const secret = new SecretText(value);
  const error = new Error('failed', { cause: secret });
  const texts = [
    inspect(secret, { showHidden: true, depth: null, getters: true }),
    inspect(secret, { showHidden: true, customInspect: false, depth: null, getters: true }),
    inspect({ secret, map: new Map([[secret, secret]]) }, { depth: null, showHidden: true }),
    inspect(error, { showHidden: true, depth: null }),
    format('%o %O %j %s %d', secret, secret, secret, secret, secret),
    JSON.stringify(Object.assign({}, secret)),
    JSON.stringify(Object.entries(Object.getOwnPropertyDescriptors(secret))),
    JSON.stringify(Reflect.ownKeys(secret).map(String)),
    JSON.stringify(structuredClone(secret)),
    serialize(secret).toString('latin1'),
    Object.prototype.toString.call(secret),
  ];
  for (const text of texts) expect(text).not.toContain('hunter2');
});

test('a message between threads does not carry the value', async () => {
  const { port1, port2 } = new MessageChannel();
  const received = new Promise((resolve) => port2.once('message', resolve));
  port1.postMessage({ secret: new SecretText(value) });
  expect(JSON.stringify(await received)).toBe('{"secret":{}}');
  port1.close();
});

test('two secrets are equal to nothing but themselves, and no number', () => {
  const secret = new SecretText('5');
  expect(Number(secret)).toBeNaN();
  expect(secret).not.toBe(new SecretText('5'));
});

test.each(['', 'a\0b', 'multi\r\nline', '\ud800 alone', SECRET_MARK, ' "quoted" $HOME \\'])('reveal gives %j exactly', (text) => {
  expect(new SecretText(text).reveal()).toBe(text);
});

test('an erased secret gives no value, and says so without one', () => {
  const secret = new SecretText(value);
  secret.erase();
  expect(() => secret.reveal()).toThrow('a secret was used after it had been erased');
  expect(String(secret)).toBe(SECRET_MARK);
  expect(inspect(secret)).toBe(SECRET_MARK);
});
