import { describe, expect, it } from 'vitest';
import { parseDocument } from '../../../clients/formats/parse-document.ts';
import { check, cueUnderTest, problems, yaml } from './cue-under-test.ts';

const cue = cueUnderTest();

const schema = `#Settings: {
	name!: string
	level: *"info" | "debug" | "warn"
	redis: {
		max_connections: int & >=1 & <=1000
		host: =~"^[a-z.]+$"
		timeout?: number
	}
	ports?: [...int]
	backend?: {type: "pg", dsn: string} | {type: "memory"}
	cache?: null | {size: int}
	labels?: [string]: string
}`;

describe('validate', () => {
  it('accepts a document that satisfies the definition', async () => {
    const document = yaml('name: shop\nlevel: warn\nredis: {max_connections: 20, host: cache.internal}\nlabels: {a.b: c}\n');
    expect(await problems(cue, { schema, definition: '#Settings', document })).toEqual([]);
  });

  it('reports every error at once, each at its line and column in the YAML source, with the constraint it violates', async () => {
    const document = yaml(`level: trace
redis:
  max_connections: 5000
  host: "CACHE"
  timeout: soon
  max_conections: 1
ports: [80, "443"]
backend: {type: mysql}
cache: {size: big}
labels: {a.b: 1}
unknown: true
`);
    expect(await problems(cue, { schema, definition: '#Settings', document })).toEqual([
      'rule settings: settings/production.yaml:1:1 name: is required (string) (schemas/settings.cue:2)',
      'rule settings: settings/production.yaml:1:8 level: "trace" must be one of "info", "debug", "warn" (schemas/settings.cue:3)',
      'rule settings: settings/production.yaml:3:20 redis.max_connections: 5000 exceeds <=1000 (schemas/settings.cue:5)',
      'rule settings: settings/production.yaml:4:9 redis.host: "CACHE" does not match =~"^[a-z.]+$" (schemas/settings.cue:6)',
      'rule settings: settings/production.yaml:5:12 redis.timeout: "soon" is a string, must be number (schemas/settings.cue:7)',
      'rule settings: settings/production.yaml:6:19 redis.max_conections: is not allowed by the schema',
      'rule settings: settings/production.yaml:7:13 ports.1: "443" is a string, must be int (schemas/settings.cue:9)',
      'rule settings: settings/production.yaml:8:17 backend.type: "mysql" must be one of "pg", "memory" (schemas/settings.cue:10)',
      'rule settings: settings/production.yaml:9:15 cache.size: "big" is a string, must be int (schemas/settings.cue:11)',
      'rule settings: settings/production.yaml:10:15 labels.a\\.b: 1 is an integer, must be string (schemas/settings.cue:12)',
      'rule settings: settings/production.yaml:11:10 unknown: is not allowed by the schema',
    ]);
  });

  it('points into TOML too', async () => {
    const document = parseDocument(new TextEncoder().encode('name = "shop"\n\n[redis]\nmax_connections = 0\nhost = "cache"\n'), 'settings.toml');
    expect(await problems(cue, { schema, definition: '#Settings', document })).toEqual([
      'rule settings: settings.toml:4:19 redis.max_connections: 0 is below >=1 (schemas/settings.cue:5)',
    ]);
  });

  it('guesses which field was meant by an unknown one', async () => {
    const document = yaml('name: shop\nredis: {max_connections: 1, host: cache, timeuot: 3}\n');
    expect(await problems(cue, { schema, definition: '#Settings', document })).toEqual([
      'rule settings: settings/production.yaml:2:51 redis.timeuot: is not allowed by the schema: did you mean timeout?',
    ]);
  });

  it('tells for a map that fits no alternative what each lacks', async () => {
    const document = yaml('name: shop\nredis: {max_connections: 1, host: cache}\nbackend: {type: memory, dsn: x}\n');
    const [problem] = await problems(cue, { schema, definition: '#Settings', document });
    expect(problem).toMatch(/production.yaml:3:10 backend: fits none of the schema's alternatives: .*backend.dsn is not allowed/);
  });

  it('finds a definition inside of another field', async () => {
    const source = 'shared: #Redis: {\n\thost!: string\n\tport: {number!: int}\n}';
    expect(await problems(cue, { schema: source, definition: 'shared.#Redis', document: yaml('port: {nummer: 1}\nextra: 1\n') })).toEqual([
      'rule settings: settings/production.yaml:1:1 host: is required (string) (schemas/settings.cue:2)',
      'rule settings: settings/production.yaml:1:7 port.number: is required (int) (schemas/settings.cue:3)',
      'rule settings: settings/production.yaml:1:16 port.nummer: is not allowed by the schema: did you mean number?',
      'rule settings: settings/production.yaml:2:8 extra: is not allowed by the schema',
    ]);
  });

  it('uses the whole package when no definition is named', async () => {
    expect(await problems(cue, { schema: 'a: int', document: yaml('a: x\n') })).toEqual([
      'rule settings: settings/production.yaml:1:4 a: "x" is a string, must be int (schemas/settings.cue:1)',
    ]);
  });

  it('keeps the message short when the value is long', async () => {
    const [problem] = await problems(cue, { schema: 'a: <5', document: yaml(`a: ${'x'.repeat(5_000)}\n`) });
    expect(problem?.length).toBeLessThan(250);
  });

  it('names at most a few hundred problems and counts the others', async () => {
    const document = yaml(Array.from({ length: 300 }, (_, i) => `k${i}: x\n`).join(''));
    const found = await problems(cue, { schema: '[string]: int', document });
    expect(found).toHaveLength(201);
    expect(found.at(-1)).toContain('and 100 more problems');
  });

  it('looks into every element of a list, also beside a broken one', async () => {
    const source = 'servers: [...#Server]\n#Server: {host!: string, port: int}';
    const document = yaml('servers:\n  - {host: a, port: x}\n  - {prt: 1}\n  - {host: c, port: 1}\n');
    expect(await problems(cue, { schema: source, document })).toEqual([
      'rule settings: settings/production.yaml:2:21 servers.0.port: "x" is a string, must be int (schemas/settings.cue:2)',
      'rule settings: settings/production.yaml:3:5 servers.1.host: is required (string) (schemas/settings.cue:2)',
      'rule settings: settings/production.yaml:3:5 servers.1.port: is required (int) (schemas/settings.cue:2)',
      'rule settings: settings/production.yaml:3:11 servers.1.prt: is not allowed by the schema: did you mean port?',
    ]);
  });

  it('is not misled by keys that mean something to CUE or JavaScript', async () => {
    const document = yaml('__proto__: 1\nstring: 2\n_hidden: 3\n"#def": 4\nconstructor: 5\n"a.b": x\n');
    expect(await problems(cue, { schema: '{[string]: int}', document })).toEqual([
      'rule settings: settings/production.yaml:6:8 a\\.b: "x" is a string, must be int (schemas/settings.cue:1)',
    ]);
  });

  it('compares big integers and fractions exactly', async () => {
    const document = yaml('big: 9007199254740993\nfraction: 0.1\n');
    expect(await problems(cue, { schema: 'big: 9007199254740993\nfraction: 0.1', document })).toEqual([]);
    expect(await problems(cue, { schema: 'big: 9007199254740992\nfraction: float', document })).toEqual([
      'rule settings: settings/production.yaml:1:6 big: 9007199254740993 must be 9007199254740992 (schemas/settings.cue:1)',
    ]);
  });

  it('refuses a document that is nested absurdly deep, at once', async () => {
    const deep = yaml('a: 1\n');
    let node: typeof deep = deep;
    for (let i = 0; i < 3_000; i++) node = { kind: 'map', entries: new Map([['a', node]]), origin: deep.origin };
    expect(await problems(cue, { schema: '#A: {a?: #A | int}', definition: '#A', document: node })).toEqual([
      'rule settings: settings/production.yaml:1:1: is nested more than 200 levels deep',
    ]);
  });
});

describe('defaults', () => {
  it('completes the document with the values of the schema, in order and exactly', async () => {
    const source =
      'name: string\nlevel: *"info" | string\nlimits: {rate: *1.5 | number, big: *12345678901234567890 | int}\nlist: *[1, {a: 2}] | [...]\nurl: "http://\\(name)/"';
    const result = await check(cue, { schema: source, document: yaml('name: shop\n2: two\n1: one\n'), defaults: true });
    expect(result).toEqual({
      ok: true,
      secrets: [],
      value: new Map<string, unknown>([
        ['name', 'shop'],
        ['level', 'info'],
        [
          'limits',
          new Map<string, unknown>([
            ['rate', 1.5],
            ['big', 12345678901234567890n],
          ]),
        ],
        ['list', [1, new Map([['a', 2]])]],
        ['url', 'http://shop/'],
        ['2', 'two'],
        ['1', 'one'],
      ]),
    });
  });

  it('that are no number the document model holds are refused', async () => {
    const found = await check(cue, { schema: 'a: *1e400 | number', document: yaml('{}\n'), defaults: true });
    expect(found).toMatchObject({ ok: false, problems: [{ message: expect.stringContaining('out of range') }] });
  });

  it('are not returned unless asked for', async () => {
    expect(await check(cue, { schema: 'a: *1 | int', document: yaml('{}\n') })).toEqual({ ok: true, secrets: [] });
  });
});

describe('secrets', () => {
  const secretSchema = 'port: int\nhost: string & !="x"\nuser: =~"^[a-z]+$"\nurl: "redis://\\(user)@host"';
  const document = yaml('port: "@secret(app/db#port)"\nhost: "@secret(app/db#host)"\nuser: "@secret(app/db#user)"\n');
  const opaque = [['port'], ['host'], ['user']];

  it('are checked for their type only, and never quoted', async () => {
    expect(await problems(cue, { schema: secretSchema, document, opaque })).toEqual([
      'rule settings: settings/production.yaml:1:7 port: the secret is a string, must be int (schemas/settings.cue:1)',
    ]);
  });

  it('would be refused for their text if they were not opaque', async () => {
    expect((await problems(cue, { schema: secretSchema, document })).join('\n')).toContain('@secret(app/db#user)');
  });

  it('may be missing from the document where the schema says where they come from', async () => {
    const source = '#S: {\n\tname: string\n\tpassword: string @secret(app/db#password)\n\tapi: {key!: string @secret(vault:app/api#key?version=3)}\n}';
    expect(await check(cue, { schema: source, definition: '#S', document: yaml('name: shop\napi: {}\n') })).toEqual({
      ok: true,
      secrets: [
        { path: ['password'], reference: 'app/db#password', origin: { file: 'schemas/settings.cue', line: 3, column: 2 } },
        { path: ['api', 'key'], reference: 'vault:app/api#key?version=3', origin: { file: 'schemas/settings.cue', line: 4, column: 8 } },
      ],
    });
  });

  it('leave open what the schema computes from them, and nothing else', async () => {
    const source = 'host: string\npassword!: string @secret(app/db#password)\nurl: "redis://:\\(password)@\\(host)"\nport: int\nnext: port + 1';
    expect(await problems(cue, { schema: source, document: yaml('host: h\n') })).toEqual([
      'rule settings: settings/production.yaml:1:1 next: cannot be computed: non-concrete value int in operand to + (schemas/settings.cue:5)',
      'rule settings: settings/production.yaml:1:1 port: is required (int) (schemas/settings.cue:4)',
    ]);
  });

  it('written out where the schema expects a reference are not quoted either', async () => {
    const source = 'password: string & =~"^x" @secret(app/db#password)\nother: "\\(password)" & "y"';
    const found = await problems(cue, { schema: source, document: yaml('password: hunter22\n') });
    expect(found.length).toBeGreaterThan(0);
    expect(found.join('\n')).not.toContain('hunter22');
  });
});
