import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor } from '../../domain/redact.ts';

const value = 'pä"s\\w $ö/rd+1';

describe('a text that quotes a value', () => {
  it.each<[string, (text: string) => string]>([
    ['as it is', (text) => text],
    ['in JSON', (text) => JSON.stringify({ a: text })],
    ['in JSON in JSON', (text) => JSON.stringify(JSON.stringify({ a: text }))],
    ['in ASCII JSON', (text) => JSON.stringify(text).replaceAll(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)],
    ['in a URL', (text) => `http://h/?p=${encodeURIComponent(text)}`],
    ['in a form', (text) => new URLSearchParams({ p: text }).toString()],
    ['in base64', (text) => Buffer.from(text).toString('base64')],
    ['in base64url', (text) => Buffer.from(text).toString('base64url')],
    ['in base64 of a longer text, one byte on', (text) => Buffer.from(`a${text}bc`).toString('base64')],
    ['in base64 of a longer text, two bytes on', (text) => Buffer.from(`ab${text}c`).toString('base64')],
    ['in base64 of JSON', (text) => Buffer.from(JSON.stringify({ password: text })).toString('base64')],
    ['in hexadecimal', (text) => Buffer.from(text).toString('hex')],
    ['in capital hexadecimal', (text) => Buffer.from(text).toString('hex').toUpperCase()],
  ])('%s has a mark there', (name, encode) => {
    // Base64 of JSON has the JSON-escaped form inside; a plain value shows it.
    const secret = name.endsWith('of JSON') ? 'correct horse battery' : value;
    const clean = createRedactor([secret])(`failed: ${encode(secret)} at k`);
    expect(clean).toContain('[secret]');
    expect(clean).toMatch(/^failed: .* at k$/);
    expect(clean).not.toContain(encode(secret));
  });

  it('of which it has only one line has a mark there', () => {
    const key = '-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQ\n-----END KEY-----\n';
    expect(createRedactor([key])('line 2 is kqhkiG9w0BAQ')).toBe('line 2 is [secret]');
  });

  it('loses the longest of several that lie in one another', () => {
    expect(createRedactor(['hunter', 'hunter2x'])('a hunter2x b hunter')).toBe('a [secret] b [secret]');
  });

  it('never has it, whatever the value', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 4, unit: 'binary' }), fc.string(), fc.string(), (secret, before, after) => {
        fc.pre(!'[secret]'.includes(secret) && !before.includes('[secret]') && !after.includes('[secret]'));
        const clean = createRedactor([secret])(`${before}|${secret}|${after}`);
        expect(clean.split('[secret]').some((part) => part.includes(secret))).toBe(false);
      }),
    );
  });
});

it('a value of three characters stays: messages would lose more than they hide', () => {
  expect(createRedactor(['abc', ''])('abc def')).toBe('abc def');
});
