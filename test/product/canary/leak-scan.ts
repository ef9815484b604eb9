/** Where a value was found, by name and form, and never the value. */
export interface Leak {
  readonly place: string;
  readonly secret: string;
  readonly form: string;
}

export interface LeakScan {
  /** Looks through what a place has. `stands` is what must be there: without it the place was not read, and the scan throws. */
  look(place: string, content: string | Uint8Array, stands?: string): void;
  readonly leaks: readonly Leak[];
  /** Bytes that were looked through, by place. */
  readonly looked: ReadonlyMap<string, number>;
}

/** Shorter parts would be found in anything by chance: six random characters are not, in some megabytes. */
const SHORTEST = 6;
/** Of a value of several lines each may leak alone. */
const SHORTEST_LINE = 10;

/**
 * Looks for values in every form in which a program writes them down. It is written apart from the product's redactor, whose mistakes it has to find.
 */
export function createLeakScan(secrets: Readonly<Record<string, string>>): LeakScan {
  const wanted = Object.entries(secrets).flatMap(([secret, value]) =>
    Object.entries(formsOf(value)).map(([form, text]) => ({ secret, form, bytes: Buffer.from(text) })),
  );
  const leaks: Leak[] = [];
  const looked = new Map<string, number>();
  return {
    leaks,
    looked,
    look(place, content, stands) {
      const bytes = typeof content === 'string' ? Buffer.from(content) : Buffer.from(content.buffer, content.byteOffset, content.byteLength);
      if (stands !== undefined && !bytes.includes(stands)) throw new Error(`${place} does not have ${JSON.stringify(stands)}: it was not read`);
      looked.set(place, (looked.get(place) ?? 0) + bytes.length);
      for (const { secret, form, bytes: text } of wanted) {
        if (!bytes.includes(text) || leaks.some((leak) => leak.place === place && leak.secret === secret && leak.form === form)) continue;
        leaks.push({ place, secret, form });
      }
    },
  };
}

/** The forms of a value by name, those that are told apart. */
export function formsOf(value: string): Readonly<Record<string, string>> {
  const lines = value.split('\n').filter((line) => line.length >= SHORTEST_LINE);
  const parts: [string, string][] = [['', value], ...(lines.length > 1 ? lines.map((line, index): [string, string] => [`line ${index + 1} `, line]) : [])];
  const forms = new Map<string, string>();
  for (const [part, text] of parts) {
    if (Buffer.byteLength(text) < SHORTEST) throw new Error('a value this short would be found by chance');
    for (const [form, encoded] of Object.entries(encodingsOf(text))) if (![...forms.values()].includes(encoded)) forms.set(part + form, encoded);
  }
  return Object.fromEntries(forms);
}

function encodingsOf(text: string): Readonly<Record<string, string>> {
  const bytes = Buffer.from(text);
  const json = JSON.stringify(text).slice(1, -1);
  const url = encodeURIComponent(text);
  const hex = bytes.toString('hex');
  return {
    plain: text,
    json,
    'json in json': JSON.stringify(json).slice(1, -1),
    'json in ascii': json.replaceAll(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
    'json for html': json.replaceAll(/[<>&]/g, (unit) => `\\u00${unit.charCodeAt(0).toString(16)}`),
    url,
    'url in lower case': url.replaceAll(/%../g, (escape) => escape.toLowerCase()),
    form: url.replaceAll('%20', '+'),
    hex,
    'hex in upper case': hex.toUpperCase(),
    base64: bytes.toString('base64').replace(/=+$/, ''),
    base64url: bytes.toString('base64url'),
    // Inside of a longer text, at the two other places in a group of three bytes; without the characters that its neighbours have a part in.
    'base64 after 1': Buffer.concat([Buffer.alloc(1), bytes])
      .toString('base64')
      .replace(/=+$/, '')
      .slice(2, -1),
    'base64 after 2': Buffer.concat([Buffer.alloc(2), bytes])
      .toString('base64')
      .replace(/=+$/, '')
      .slice(3, -1),
    'base64 before more': bytes.toString('base64').replace(/=+$/, '').slice(0, -1),
    'base64 of json': Buffer.from(json).toString('base64').replace(/=+$/, '').slice(0, -1),
    'shell single quotes': text.replaceAll("'", `'\\''`),
    'shell double quotes': text.replaceAll(/["$`\\]/g, (unit) => `\\${unit}`),
    'yaml single quotes': text.replaceAll("'", "''"),
    'escaped by git and c': text.replaceAll(/["\\]/g, (unit) => `\\${unit}`).replaceAll('\n', '\\n'),
  };
}
