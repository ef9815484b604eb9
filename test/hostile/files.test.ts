import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../servers/describe-with.ts';
import { openHostileStack, type HostileStack } from './hostile-stack.ts';

const RULES = `
  settings:
    from: { repository: config, files: [ "in/*" ] }
    environments: { branches: { main: production } }
    schema: none
    to: [ { sink: cache, place: "app:{env}" } ]
  services:
    from: { repository: config, files: [ "in/*" ] }
    environments: { branches: { services: services } }
    schema: none
    to: [ { sink: files, place: "{dir}/files/{env}.env", format: env } ]`;

const MIB = 1024 ** 2;
/** Few bytes in the file, gigabytes once its aliases are written out. */
const textBomb = `a: &a "${'x'.repeat(400_000)}"\nb: [${'*a,'.repeat(150_000)}]\n`;
const listBomb = `a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 12 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(10)}]`).join('\n')}\n`;
const entities = `<!DOCTYPE r [<!ENTITY a "x">${Array.from({ length: 9 }, (_, n) => `<!ENTITY b${n} "${`&b${n - 1};`.repeat(10)}">`).join('')}]><r>&b8;</r>`;
const deep = 100_000;

const REFUSED: readonly (readonly [what: string, file: string, content: string | Uint8Array, problem: RegExp])[] = [
  ['aliases of a long text', 'a.yaml', textBomb, /in\/a\.yaml:1:1: .*once its aliases are written out/],
  ['aliases of aliases', 'a.yaml', listBomb, /in\/a\.yaml:1:1: .*once its aliases are written out/],
  ['deep YAML flow', 'a.yaml', `a: ${'['.repeat(deep)}${']'.repeat(deep)}`, /in\/a\.yaml:1:\d+: .*nested/],
  ['deep YAML blocks', 'a.yaml', Array.from({ length: 1_000 }, (_, n) => `${' '.repeat(n)}a:`).join('\n'), /in\/a\.yaml:\d+:\d+: .*nested/],
  ['deep JSON', 'a.json', `{"a":${'['.repeat(deep)}${']'.repeat(deep)}}`, /in\/a\.json:1:\d+: .*nested/],
  ['deep TOML', 'a.toml', `a = ${'['.repeat(deep)}${']'.repeat(deep)}`, /in\/a\.toml:1:\d+: .*nested/],
  ['a deep TOML name', 'a.toml', `${'a.'.repeat(50_000)}a = 1`, /in\/a\.toml:1:\d+: .*nested/],
  ['a deep .properties name', 'a.properties', `${'a.'.repeat(50_000)}a = 1`, /in\/a\.properties:1:\d+: .*nested/],
  ['a deep INI section', 'a.ini', `[${'a.'.repeat(50_000)}a]\nb = 1`, /in\/a\.ini:\d+:\d+: .*nested/],
  ['deep HCL', 'a.hcl', `a = ${'['.repeat(deep)}${']'.repeat(deep)}`, /in\/a\.hcl:1:\d+ \S+: .*nested/],
  ['deep HCL blocks', 'a.hcl', `${'a {\n'.repeat(deep)}${'}\n'.repeat(deep)}`, /in\/a\.hcl:\d+:\d+ \S+: .*nested/],
  ['deep XML', 'a.xml', `${'<a>'.repeat(deep)}${'</a>'.repeat(deep)}`, /in\/a\.xml:1:\d+: .*nested/],
  ['a key twice in YAML', 'a.yaml', 'a: 1\nb: 2\na: 3\n', /in\/a\.yaml:3:1 a: .*twice/],
  ['a key twice in JSON', 'a.json', '{"a": 1, "\\u0061": 2}', /in\/a\.json:1:10 a: .*twice/],
  ['NaN in YAML', 'a.yaml', 'a: .nan\n', /in\/a\.yaml:1:4 a: infinity and NaN/],
  ['infinity in TOML', 'a.toml', 'a = -inf\n', /in\/a\.toml:1:5/],
  ['a number beyond all in JSON', 'a.json', '{"a": 1e999}', /in\/a\.json:1:7 a: /],
  ['several documents', 'a.yaml', 'a: 1\n---\nb: 2\n', /in\/a\.yaml:2:1: a second YAML document/],
  ['tables that conflict', 'a.toml', 'a = 1\n[a]\nb = 2\n', /in\/a\.toml:2:\d+/],
  ['a table twice', 'a.toml', '[a]\nb = 1\n[a]\nc = 2\n', /in\/a\.toml:3:\d+/],
  ['entities of entities', 'a.xml', entities, /in\/a\.xml:1:1: a document type is not allowed/],
  ['an external entity', 'a.xml', '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><a>&x;</a></r>', /in\/a\.xml:1:1: a document type/],
  ['functions', 'a.hcl', 'a = file("/etc/passwd")\n', /in\/a\.hcl:1:5/],
  ['a template', 'a.hcl', 'a = "${env.HOME}"\n', /in\/a\.hcl:1:6 a: a template/],
  ['bytes that are no text', 'a.json', Uint8Array.from([0x7b, 0xff, 0x7d]), /in\/a\.json:1:2: it is not UTF-8/],
  ['NUL', 'a.env', 'A=1\0', /in\/a\.env:1:4: it holds a NUL/],
  ['an escaped NUL for Redis is text, half of a pair is not', 'a.json', '{"a": "\\ud800"}', /in\/a\.json:1:7 a: .*surrogate/],
  ['half of a pair as a key', 'a.json', '{"\\udfff": 1}', /in\/a\.json:1:\d+.*surrogate/],
  ['UTF-16', 'a.yaml', Buffer.from('\uFEFFa: 1', 'utf16le'), /in\/a\.yaml:1:1: it is not UTF-8/],
  ['a text of more than 1 MiB', 'a.json', JSON.stringify({ a: 'x'.repeat(MIB) }), /in\/a\.json:1:1: it has 1048\d+ bytes/],
  ['a name without a format', 'a', 'a: 1', /in\/a:1:1: .*format/],
  ['150,000 references to secrets', 'a.yaml', `a: &a "@secret(a#b)"\nb: [${'*a,'.repeat(150_000)}]`, /in\/a\.yaml:1:7 a: [^]*and 149951 more/],
  ['a .env with a name of many', 'a.env', 'A B=1\n', /in\/a\.env:1:1/],
];

describeWith(['temporal', 'redis'], 'a push with a hostile file', () => {
  let stack: HostileStack;
  beforeAll(async () => {
    stack = await openHostileStack({ rules: RULES });
    await stack.repository.commit({ 'in/none.json': '{}' });
  });
  afterAll(() => stack?.close());

  /** Only this file (and one that says nothing) is there. */
  async function only(file: string, content: string | Uint8Array | null): Promise<Record<string, string | Uint8Array | null>> {
    const listed = await stack.repository.git('ls-tree', '-z', '--name-only', 'HEAD', 'in/');
    const gone = listed.split('\0').filter((name) => name && name !== 'in/none.json' && name !== `in/${file}`);
    return { ...Object.fromEntries(gone.map((name) => [name, null])), [`in/${file}`]: content };
  }

  it.each(REFUSED)('is refused at its place, and nothing is written: %s', async (_what, file, content, problem) => {
    const start = performance.now();
    await stack.refused(await only(file, content), problem);
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it('whose keys are those of every object keeps all of them', async () => {
    const keys = ['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'length'];
    const files: Record<string, string> = {
      'a.json': JSON.stringify(Object.fromEntries(keys.map((key) => [`j${key}`, 1]))).replaceAll('"j', '"'),
      'a.yaml': keys.map((key) => `${key}: 1`).join('\n'),
      'a.toml': keys.map((key) => `${key} = 1`).join('\n'),
      'a.ini': keys.map((key) => `${key} = 1`).join('\n'),
      'a.properties': keys.map((key) => `${key} = 1`).join('\n'),
      'a.env': keys.map((key) => `${key}=1`).join('\n'),
      'a.hcl': keys.map((key) => `${key} = 1`).join('\n'),
      'a.xml': `<r>${keys.map((key) => `<${key}>1</${key}>`).join('')}</r>`,
    };
    for (const [file, content] of Object.entries(files)) {
      expect(await stack.push(await only(file, content))).toMatchObject({ status: expect.stringMatching(/^(Synced|Unchanged)$/) as string, problems: [] });
      expect(Object.keys(await stack.redis.hgetall('app:production')).toSorted(), file).toEqual(keys.toSorted());
    }
  });

  it('whose keys and values are odd ends in the hash as it is', async () => {
    const odd = {
      '': '1',
      ' ': '2',
      'a=b': '3',
      'a\nb': '4',
      é: '5',
      'e\u0301': '6',
      '\u202Ex': '7',
      'nul\0': 'nul\0',
      big: 'x'.repeat(900_000),
      '-rf': '\r\n',
      '*': '\uFEFF',
    };
    expect(await stack.push(await only('a.json', `\uFEFF${JSON.stringify(odd)}\r\n`))).toMatchObject({ status: 'Synced', problems: [] });
    expect(await stack.redis.hgetall('app:production')).toEqual(odd);
  });

  it.each(['a b', 'a=b', 'a\nb', '', '1a', 'é', '$(id)', 'a\0', '`id`'])(
    'whose key %j cannot be the name of a variable is refused with the key named',
    async (key) => {
      await stack.repository.commit({ 'in/none.json': '{}' }, 'services');
      const files = { 'in/a.json': JSON.stringify({ good: 1, [key]: 'secret-value' }) };
      const outcome = await stack.refused(files, /rule services: in\/a\.json:1:\d+[^]*: it cannot be the name of an environment variable/, 'services');
      expect(outcome.problems.join('\n')).toContain(`${key}: it cannot`);
      expect(JSON.stringify(outcome)).not.toContain('secret-value');
    },
  );

  it.each(['nul\0', 'cr\r', "both ' and $", 'ends in \\'])('whose value %j no variable can have is refused with the key named', async (value) => {
    await stack.refused({ 'in/a.json': JSON.stringify({ key: value }) }, /rule services: in\/a\.json:1:8 key: .*an env file/, 'services');
  });

  it('leaves api and worker as they were', async () => {
    expect(await stack.push({ 'in/a.json': '{"key": "$(touch x) `id`"}' }, 'services')).toMatchObject({ status: 'Synced' });
    expect(await readFile(join(stack.directory, 'files/services.env'), 'utf8')).toContain(`KEY='$(touch x) \`id\`'`);
    await stack.survived();
  });
});
