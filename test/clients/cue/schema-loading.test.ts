import { describe, expect, it } from 'vitest';
import { schemaFiles } from '../../../clients/cue/cue.ts';
import { InvalidInput } from '../../../domain/problem.ts';
import { cueUnderTest, problems, yaml } from './cue-under-test.ts';

const cue = cueUnderTest();
const module = 'module: "acme.example/config"\nlanguage: version: "v0.17.0"\n';

describe('a schema', () => {
  it('is all files of the package of the file that is named', async () => {
    const schema = {
      'schemas/settings.cue': 'package settings\n#Settings: {port: #Port}',
      'schemas/types.cue': 'package settings\n#Port: <=65535',
      'schemas/other.cue': 'package other\n#Port: "conflict"',
      'schemas/plain.cue': '#Port: "conflict"',
      'schemas/broken.cue': 'package broken\n}{',
    };
    expect(await problems(cue, { schema, definition: '#Settings', document: yaml('port: 70000\n') })).toEqual([
      'rule settings: settings/production.yaml:1:7 port: 70000 exceeds <=65535 (schemas/types.cue:2)',
    ]);
  });

  it('stands alone when its file has no package clause, whatever lies beside it', async () => {
    const schema = { 'schemas/settings.cue': 'port: int', 'schemas/more.cue': 'port: "no"', 'schemas/other.cue': 'package other\nport: "no"' };
    expect(await problems(cue, { schema, document: yaml('port: 1\n') })).toEqual([]);
  });

  it('takes in files of its package from the directories above, inside its module', async () => {
    const schema = {
      'deploy/cue.mod/module.cue': module,
      'deploy/base.cue': 'package settings\nregion: "eu" | "us"',
      'deploy/schemas/shop/settings.cue': 'package settings\nport: int',
      'base.cue': 'package settings\nregion: "outside of the module"',
    };
    const document = yaml('port: 1\nregion: asia\n');
    expect(await problems(cue, { schema, file: 'deploy/schemas/shop/settings.cue', document })).toEqual([
      'rule settings: settings/production.yaml:2:9 region: "asia" must be one of "eu", "us" (deploy/base.cue:2)',
    ]);
  });

  it('does not look above its directory outside of a module', async () => {
    const schema = { 'base.cue': 'package settings\nport: string', 'schemas/settings.cue': 'package settings\nport: int' };
    expect(await problems(cue, { schema, document: yaml('port: 1\n') })).toEqual([]);
  });

  it('imports packages of its module and of the standard library, a diamond of them once', async () => {
    const schema = {
      'cue.mod/module.cue': module,
      'schemas/settings.cue':
        'package settings\nimport (\n\t"acme.example/config/a"\n\t"acme.example/config/b:bee"\n\t"net"\n)\nport: a.#Port & bee.#Low\nhost: net.FQDN',
      'a/a.cue': 'package a\nimport "acme.example/config/base"\n#Port: base.#Port',
      'b/b.cue': 'package bee\nimport "acme.example/config/base"\n#Low: base.#Port & <1024',
      'base/base.cue': 'package base\n#Port: int & >0',
    };
    expect(await problems(cue, { schema, document: yaml('port: 8080\nhost: a.example\n') })).toEqual([
      'rule settings: settings/production.yaml:1:7 port: 8080 exceeds <1024 (b/b.cue:3)',
    ]);
  });

  it('can be a directory with one package, and not one with two', async () => {
    const schema = { 'schemas/a.cue': 'package a\nport: int', 'schemas/b.cue': 'package a\nport: <10' };
    expect(await problems(cue, { schema, directory: 'schemas', document: yaml('port: 11\n') })).toHaveLength(1);
    const mixed = { ...schema, 'schemas/b.cue': 'package b\nport: <10' };
    expect((await problems(cue, { schema: mixed, directory: 'schemas', document: yaml('port: 1\n') })).join()).toContain('name the file of the schema');
  });

  const refused: readonly [what: string, schema: string, problem: string][] = [
    ['does not parse', 'a: {\n', `schemas/settings.cue:1:5: expected '}', found 'EOF'`],
    ['refers to nothing', 'ä: "é", b: nothing', 'schemas/settings.cue:1:12: b: reference "nothing" not found'],
    ['contradicts itself', 'a: 1 & 2', 'schemas/settings.cue:1:4: a: conflicting values 2 and 1'],
    [
      'imports what is not in the repository',
      'import "other.example/x"\na: x.a',
      'schemas/settings.cue:1:8: import failed: package "other.example/x" is not available',
    ],
    ['imports a tool', 'import "tool/exec"\na: exec.Run', 'schemas/settings.cue:1:8: import failed: package "tool/exec" is not available'],
    ['imports an unknown package', 'import "nope"\na: nope.a', 'schemas/settings.cue:1:8: builtin package "nope" undefined'],
    ['embeds a file', 'a: _ @embed(file="/etc/passwd")', 'schemas/settings.cue:1:6: @embed is not supported'],
    ['turns on an extension', '@extern(embed)\npackage s', 'schemas/settings.cue:1:1: @extern is not supported'],
    ['is conditional', '@if(production)\npackage s', 'schemas/settings.cue:1:1: @if is not supported'],
  ];
  it.each(refused)('that %s is refused at its own line', async (_what, schema, problem) => {
    const found = await problems(cue, { schema, document: yaml('{}\n') });
    expect(found.join('\n')).toContain(`rule settings: ${problem}`);
  });

  it('that lacks the definition of the rule is refused', async () => {
    const found = await problems(cue, { schema: '#Settings: {}', definition: '#Setings', document: yaml('{}\n') });
    expect(found).toEqual(['rule settings: schemas/settings.cue:1:1: the schema has no #Setings']);
  });

  it('that imports itself in a circle is refused', async () => {
    const schema = {
      'cue.mod/module.cue': module,
      'schemas/settings.cue': 'package schemas\nimport "acme.example/config/a"\nx: a.x',
      'a/a.cue': 'package a\nimport "acme.example/config/schemas"\nx: schemas.x',
    };
    expect((await problems(cue, { schema, document: yaml('{}\n') })).join()).toContain('import cycle through');
  });

  it('that is not there is refused', async () => {
    expect(await problems(cue, { schema: {}, document: yaml('{}\n') })).toEqual(['rule settings: schemas/settings.cue:1:1: the schema file does not exist']);
  });

  it('of too many bytes is refused', async () => {
    const schema = { 'schemas/settings.cue': `// ${'x'.repeat(5 * 1024 * 1024)}` };
    expect((await problems(cue, { schema, document: yaml('{}\n') })).join()).toContain('at most 1000 files and 4 MiB are read');
  });
});

describe('schemaFiles', () => {
  it('are the files beside the schema, outside of a module', () => {
    const tree = ['README.md', 'base.cue', 'schemas/a.cue', 'schemas/b.cue', 'schemas/deep/c.cue', 'schemas/.hidden.cue', 'schemas/x_tool.cue'];
    expect(schemaFiles(tree, 'schemas/b.cue')).toEqual(['schemas/a.cue', 'schemas/b.cue']);
  });

  it('are all of the nearest module, and nothing of modules inside it', () => {
    const tree = ['a.cue', 'm/cue.mod/module.cue', 'm/cue.mod/pkg/v.cue', 'm/a.cue', 'm/s/b.cue', 'm/n/cue.mod/module.cue', 'm/n/c.cue', 'm/x_test.cue'];
    expect(schemaFiles(tree, 'm/s/b.cue')).toEqual(['m/a.cue', 'm/cue.mod/module.cue', 'm/s/b.cue']);
  });

  it('refuse a file that is not there, is not CUE, or is one of too many', () => {
    const many = Array.from({ length: 1_001 }, (_, i) => `s/${i}.cue`);
    expect(() => schemaFiles(['a.cue'], 'b.cue')).toThrow(InvalidInput);
    expect(() => schemaFiles(['a.json'], 'a.json')).toThrow(/must end in .cue/);
    expect(() => schemaFiles(many, 's/0.cue')).toThrow(/1001 CUE files/);
  });
});
