import { execFileSync } from 'node:child_process';
import { parse as parseWithDotenv } from 'dotenv';
import fc from 'fast-check';
import { getProperties } from 'properties-file';
import { parse as parseWithSmolToml } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { parse as parseWithYaml } from 'yaml';
import { envName } from '../../../clients/formats/env-name.ts';
import { renderDocument } from '../../../clients/formats/render-document.ts';
import { flatten, leafText, unflatten } from '../../../domain/flatten.ts';
import { InvalidInput } from '../../../domain/problem.ts';
import { toJson, type Value } from '../../../domain/value.ts';
import { parsed } from './parsed.ts';
import { documents, nastyKey, nastyText, plainKey } from './values.ts';

type Document = ReadonlyMap<string, Value>;

/** What a format of texts keeps: each leaf as its text. */
function textsOf(value: Document): Document {
  return unflatten(flatten(value, 'json').map((entry) => ({ ...entry, value: leafText(entry.value) })));
}

/** The rendered text, or undefined where the format refuses the document. */
function rendered(value: Document, format: Parameters<typeof renderDocument>[1]): string | undefined {
  try {
    return renderDocument(value, format);
  } catch (error) {
    if (error instanceof InvalidInput) return undefined;
    throw error;
  }
}

const sorted = (value: Value): string => toJson(value, 'sorted');

describe('a rendered document', () => {
  it.each(['json', 'yaml'] as const)('in %s is read back as it was', (format) => {
    fc.assert(
      fc.property(documents({ key: nastyKey, nulls: true }), (value) => {
        expect(sorted(parsed(renderDocument(value, format), `a.${format}`))).toBe(sorted(value));
      }),
      { numRuns: 500 },
    );
  });

  it('in toml is read back as it was', () => {
    fc.assert(
      fc.property(documents({ key: nastyKey, nulls: false }), (value) => {
        expect(sorted(parsed(renderDocument(value, 'toml'), 'a.toml'))).toBe(sorted(value));
      }),
      { numRuns: 500 },
    );
  });

  it('in properties is read back as texts', () => {
    fc.assert(
      fc.property(documents({ key: nastyKey, nulls: true }), (value) => {
        expect(sorted(parsed(renderDocument(value, 'properties'), 'a.properties'))).toBe(sorted(textsOf(value)));
      }),
      { numRuns: 500 },
    );
  });

  it('in ini is read back as texts, sections as maps', () => {
    let taken = 0;
    fc.assert(
      fc.property(documents({ key: fc.oneof({ weight: 9, arbitrary: plainKey }, nastyKey), nulls: false }), (value) => {
        const text = rendered(value, 'ini');
        if (text === undefined) return;
        taken++;
        expect(sorted(parsed(text, 'a.ini'))).toBe(sorted(textsKeepingMaps(value)));
      }),
      { numRuns: 500 },
    );
    expect(taken).toBeGreaterThan(250);
  });

  it('in env is read back as texts under upper-case names', () => {
    let taken = 0;
    fc.assert(
      fc.property(documents({ key: plainKey, text: fc.oneof(nastyText, plainKey), nulls: true }), (value) => {
        const text = rendered(value, 'env');
        if (text === undefined) return;
        taken++;
        expect(sorted(parsed(text, '.env'))).toBe(sorted(envOf(value)));
      }),
      { numRuns: 500 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it('is one text for equal documents, whatever the order of their keys', () => {
    const value = new Map<string, Value>([
      [
        'b',
        new Map([
          ['y', 1],
          ['x', 2],
        ]),
      ],
      ['a', 'text'],
    ]);
    const turned = new Map<string, Value>([
      ['a', 'text'],
      [
        'b',
        new Map([
          ['x', 2],
          ['y', 1],
        ]),
      ],
    ]);
    for (const format of ['env', 'json', 'yaml', 'toml', 'ini', 'properties'] as const)
      expect(renderDocument(value, format)).toBe(renderDocument(turned, format));
  });

  it('without keys is still a file that says so', () => {
    for (const format of ['env', 'json', 'yaml', 'toml', 'ini', 'properties'] as const) {
      expect(parsed(renderDocument(new Map(), format), 'a', { format: format === 'env' ? 'dotenv' : format })).toEqual(new Map());
    }
  });

  it('is written as people write it', () => {
    const value = new Map<string, Value>([
      [
        'redis',
        new Map<string, Value>([
          ['max-clients', 10],
          ['tls', true],
          ['hosts', ['a', 'b']],
        ]),
      ],
      ['name', 'shop: it is'],
    ]);
    expect(renderDocument(value, 'yaml')).toBe('name: "shop: it is"\nredis:\n  hosts:\n    - "a"\n    - "b"\n  max-clients: 10\n  tls: true\n');
    expect(renderDocument(value, 'toml')).toBe('name = "shop: it is"\n\n[redis]\nhosts = ["a", "b"]\nmax-clients = 10\ntls = true\n');
    expect(renderDocument(value, 'env')).toBe('NAME=\'shop: it is\'\nREDIS_HOSTS=\'["a","b"]\'\nREDIS_MAX_CLIENTS=10\nREDIS_TLS=true\n');
    expect(renderDocument(value, 'ini')).toBe('name = shop: it is\n\n[redis]\nhosts = ["a","b"]\nmax-clients = 10\ntls = true\n');
    expect(renderDocument(value, 'properties')).toBe('name = shop\\: it is\nredis.hosts = ["a","b"]\nredis.max-clients = 10\nredis.tls = true\n');
  });
});

describe('other readers of a rendered document', () => {
  it('agree with ours on YAML, also those of YAML 1.1', () => {
    fc.assert(
      fc.property(fc.dictionary(plainKey, nastyText, { noNullPrototype: true }), (record) => {
        const text = renderDocument(new Map(Object.entries(record)), 'yaml');
        expect(parseWithYaml(text)).toEqual(record);
        expect(parseWithYaml(text, { version: '1.1' })).toEqual(record);
      }),
    );
    expect(
      parseWithYaml(
        renderDocument(
          new Map<string, Value>([
            ['on', 1e21],
            ['y', 'no'],
          ]),
          'yaml',
        ),
        { version: '1.1' },
      ),
    ).toEqual({ on: 1e21, y: 'no' });
  });

  it('agree with ours on TOML', () => {
    fc.assert(
      fc.property(documents({ key: plainKey, nulls: false }), (value) => {
        expect(JSON.stringify(asJson(parseWithSmolToml(renderDocument(value, 'toml'), { integersAsBigInt: true })))).toBe(JSON.stringify(asJson(value)));
      }),
    );
  });

  it('agree with ours on .properties', () => {
    fc.assert(
      fc.property(fc.dictionary(plainKey, nastyText, { noNullPrototype: true }), (record) => {
        expect(getProperties(renderDocument(new Map(Object.entries(record)), 'properties'))).toEqual(record);
      }),
    );
  });

  it('agree with ours on env: the dotenv library and sh', () => {
    fc.assert(
      fc.property(fc.array(nastyText, { minLength: 1, maxLength: 4 }), (texts) => {
        const names = texts.map((_, index) => `V${index}`);
        const kept = texts
          .map((text, index): [string, string] => [names[index] ?? '', text])
          .filter(([name, text]) => rendered(new Map([[name, text]]), 'env') !== undefined);
        const file = renderDocument(new Map(kept), 'env');
        expect(parseWithDotenv(file)).toEqual(Object.fromEntries(kept));
        const printed = kept.map(([name]) => `printf '%s\\0' "$${name}"`).join('\n');
        const output = execFileSync('/bin/sh', ['-c', `${file}\n${printed}`], { env: { LC_ALL: 'C' } });
        expect(output.toString().split('\0').slice(0, -1)).toEqual(kept.map(([, text]) => text));
      }),
      { numRuns: 150 },
    );
  });
});

describe('what a format cannot say is refused with the key and without the value', () => {
  it.each([
    ['env', ['a'], "x'$y", /^a: an env file that sh and dotenv readers take alike cannot hold both ' and one of/],
    ['env', ['a'], 'dir with blank\\', /^a: .* ends in a backslash/],
    ['env', ['a'], 'x\r', /^a: an env file cannot hold a carriage return or NUL/],
    ['env', ['a b'], 'x', /^a b: it cannot be the name of an environment variable/],
    ['env', ['1'], 'x', /^1: it cannot be the name of an environment variable/],
    ['toml', ['a'], [null], /^a\.0: TOML has no null/],
    ['toml', ['a'], 2n ** 63n, /^a: the integer has more than the 64 bits/],
    ['ini', ['a=b'], 'x', /^a=b: it cannot be the name of an INI key/],
    ['ini', ['a]', 'b'], 'x', /^a\]: it cannot be the name of an INI section/],
    ['ini', ['a'], 'x\0', /^a: an INI file cannot hold NUL/],
    ['properties', ['a'], 'x\0', /^a: a \.properties file cannot hold NUL/],
  ] as const)('%s %j', (format, path, value, message) => {
    expect(() => renderDocument(unflatten([{ path, value }]), format)).toThrow(message);
  });

  it('and so are two paths that become one env name', () => {
    const value = new Map<string, Value>([
      ['a', new Map([['b', 1]])],
      ['a_b', 2],
    ]);
    expect(() => renderDocument(value, 'env')).toThrow('a_b: it becomes the sink key A_B, as does a.b; rename one of them');
  });
});

describe('the env name of a path', () => {
  it('is upper case with _ for dots and dashes', () => {
    expect(envName(['redis', 'max-clients', 'a.b'])).toBe('REDIS_MAX_CLIENTS_A_B');
    expect(envName(['_x', '0'])).toBe('_X_0');
  });
});

function envOf(value: Document): Document {
  return new Map(flatten(value, 'json').map((entry) => [envName(entry.path), leafText(entry.value)]));
}

function textsKeepingMaps(value: Document): Document {
  return new Map([...value].map(([key, child]) => [key, child instanceof Map ? textsKeepingMaps(child) : leafText(child)]));
}

/** Numbers as text, so that integers of any reader compare; keys sorted. */
function asJson(value: unknown): unknown {
  if (value instanceof Map) return asJson(Object.fromEntries(value));
  if (Array.isArray(value)) return value.map(asJson);
  if (typeof value === 'bigint' || typeof value === 'number') return String(Number(value));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, child]) => [key, asJson(child)]),
    );
  return value;
}
