import { SECRET_MARK } from './secret-text.ts';

/** Takes every value it was made for out of a text, also where it is encoded. */
export type Redact = (text: string) => string;

/** Shorter ones would turn half of every message into marks, and tell by it what they are. */
const SHORTEST = 4;
/** Of a text of several lines a message often has one. */
const SHORTEST_LINE = 8;

/** Knows values as they are, and in JSON, URL, base64 (also within a longer text) and hexadecimal. */
export function createRedactor(values: Iterable<string>): Redact {
  const forms = new Set<string>();
  for (const value of values) for (const form of formsOf(value)) forms.add(form);
  // The longest first: a value that holds another one is to go as a whole.
  const ordered = [...forms].toSorted((a, b) => b.length - a.length);
  return (text) => ordered.reduce((clean, form) => (clean.includes(form) ? clean.replaceAll(form, SECRET_MARK) : clean), text);
}

/** The texts that give a value away. */
export function formsOf(value: string): readonly string[] {
  if (value.length < SHORTEST) return [];
  const lines = value.split(/\r\n|\r|\n/);
  const parts = lines.length > 1 ? lines.filter((line) => line.length >= SHORTEST_LINE) : [];
  return [value, value.trim(), ...parts].filter((part) => part.length >= SHORTEST).flatMap(encodingsOf);
}

function encodingsOf(value: string): string[] {
  const bytes = new TextEncoder().encode(value);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));
  const json = JSON.stringify(value).slice(1, -1);
  const url = encodeURIComponent(value.toWellFormed());
  const base64 = [0, 1, 2].map((offset) => inBase64(bytes, offset)).filter((text) => text.length >= SHORTEST);
  return [
    value,
    json,
    // A text that is quoted twice.
    JSON.stringify(json).slice(1, -1),
    escapeNonAscii(json),
    url,
    url.replaceAll('%20', '+'),
    url.replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`),
    url.replaceAll(/%../g, (escape) => escape.toLowerCase()),
    hex.join(''),
    hex.join('').toUpperCase(),
    hex.join(' '),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ];
}

/** What base64 of a text has for the bytes that begin `offset` bytes after a multiple of three: without the ends, which also depend on their neighbours. */
function inBase64(bytes: Uint8Array, offset: number): string {
  const padded = new Uint8Array(offset + bytes.length);
  padded.set(bytes, offset);
  const text = btoa(Array.from(padded, (byte) => String.fromCharCode(byte)).join(''));
  const start = offset === 0 ? 0 : offset + 1;
  const end = Math.floor(((offset + bytes.length) * 8) / 6);
  return text.slice(start, end);
}

function escapeNonAscii(json: string): string {
  return json.replaceAll(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
