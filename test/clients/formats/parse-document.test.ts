import { describe, expect, it } from 'vitest';
import { parseDocument } from '../../../clients/formats/parse-document.ts';
import { formatOf } from '../../../clients/formats/format-of.ts';
import { InvalidInput } from '../../../domain/problem.ts';
import { parsed, refusalOf } from './parsed.ts';

describe('the format of a file', () => {
  it.each([
    ['a.yaml', 'yaml'],
    ['dir.json/A.YML', 'yaml'],
    ['a.json', 'json'],
    ['a.toml', 'toml'],
    ['.env', 'dotenv'],
    ['config/.env.production', 'dotenv'],
    ['x.env', 'dotenv'],
    ['.env.json', 'json'],
    ['a.ini', 'ini'],
    ['setup.cfg', 'ini'],
    ['a.properties', 'properties'],
    ['a.hcl', 'hcl'],
    ['terraform.tfvars', 'hcl'],
    ['a.xml', 'xml'],
    ['yaml', undefined],
    ['a.conf', undefined],
    ['dir.yaml/a', undefined],
  ])('of %s is %s', (file, format) => {
    expect(formatOf(file)).toBe(format);
  });

  it('is never guessed from the content', () => {
    expect(refusalOf('{"a": 1}', 'settings.conf')).toBe('settings.conf:1:1: the name of the file does not tell its format; set format: in the entry of files');
    expect(parsed('{"a": 1}', 'settings.conf', { format: 'json' })).toEqual(new Map([['a', 1]]));
    expect(refusalOf('a: 1', 'a.yaml', { format: 'json' })).toMatch(/not valid JSON/);
  });
});

describe('a file of any format', () => {
  const files = ['a.yaml', 'a.json', 'a.toml', 'a.env', 'a.ini', 'a.properties', 'a.hcl', 'a.xml'];

  it.each(files)('is refused when it is empty: %s', (file) => {
    expect(refusalOf('', file)).toMatch(/^a\.\w+:1:1: the file is empty; /);
    expect(refusalOf('\uFEFF \r\n\t\n', file)).toMatch(/^a\.\w+:1:1: the file is empty; /);
  });

  it.each(files)('is refused when it is not UTF-8: %s', (file) => {
    expect(refusalOf(Uint8Array.from([0x61, 0x0a, 0x62, 0xff, 0x63]), file)).toBe(`${file}:2:2: it is not UTF-8 text`);
  });

  it.each(files)('is refused when it holds NUL: %s', (file) => {
    expect(refusalOf('a\nb\0', file)).toBe(`${file}:2:2: it holds a NUL character, so it is not text`);
  });

  it.each(files)('is refused above the size limit: %s', (file) => {
    expect(refusalOf('a'.repeat(11), file, { maxBytes: 10 })).toBe(`${file}:1:1: it has 11 bytes, above the limit of 10`);
  });
});

describe('a file that is broken anywhere', () => {
  const secret = 'S3CR3T';
  const files = {
    yaml: `a:\n  b: "${secret}" # c\n  c: ${secret}\n  d: [${secret}, '${secret}']\n  e: |\n    ${secret}\n  f: {x: ${secret}}\n`,
    json: `{"a": {"b": "${secret}"}, "c": ["${secret}", 1]}`,
    toml: `a = "${secret}"\n[b]\nc = '${secret}'\nd = ["${secret}"]\ne = """\n${secret}"""\nf={g="${secret}"}\n`,
    env: `A="${secret}"\nB=${secret}\nC='${secret}'\n`,
    ini: `a = "${secret}"\n[b]\nc=${secret}\nd='${secret}'\n`,
    properties: `a.b=${secret}\nc : ${secret}\\\n  x\\u00e9\n`,
    hcl: `a = "${secret}"\nb {\n c = ["${secret}"]\n}\nd = <<E\n${secret}\nE\n`,
    xml: `<r a="${secret}"><b>${secret}</b><c><![CDATA[${secret}]]></c></r>`,
  };
  const insertions = ['', ...Array.from('"\'`:{}[]<>&\\#=\n\t*!%@|-?, \u0001$'), '${'];

  it.each(Object.entries(files))('is refused as an input, without a word of its values: %s', (extension, text) => {
    let refused = 0;
    for (let at = 0; at <= text.length; at++) {
      for (const insertion of insertions) {
        for (const removed of [0, 1]) {
          const broken = text.slice(0, at) + insertion + text.slice(at + removed);
          try {
            parseDocument(new TextEncoder().encode(broken), `a.${extension}`);
          } catch (error) {
            if (!(error instanceof InvalidInput)) throw error;
            refused++;
            for (const problem of error.problems) {
              expect(problem.message, broken).not.toMatch(/S3CR|3CR3|CR3T/);
              expect(problem.message, broken).not.toMatch(/its parser failed/);
            }
          }
        }
      }
    }
    expect(refused).toBeGreaterThan(20);
  });
});
