import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { sinkDefinitions } from '../../sinks/registry.ts';
import type { SinkDefinition } from '../../sinks/sink.ts';
import { sinkTable, sinkTableFile, sinkTablePage } from '../../tools/sink-table.ts';

describe('the table of the sinks', () => {
  test('is the one that the code makes (else run tools/sink-table.ts)', async () => {
    expect(await readFile(sinkTableFile, 'utf8')).toBe(await sinkTablePage());
  });

  test('names every kind, with a link to its page, and every layout', async () => {
    const table = await sinkTable(sinkDefinitions);
    for (const { kind, layouts } of Object.values(sinkDefinitions)) {
      expect(table).toContain(`| [${kind}](${kind}.md) |`);
      for (const layout of Object.keys(layouts)) expect(table).toMatch(new RegExp(`\\| (\`\\w+\`, )*\`${layout}\`(, \`\\w+\`)* \\|`));
    }
  });

  test('has one row for layouts that promise the same, and the limits once', async () => {
    const { s3 } = sinkDefinitions;
    const [, , ...rows] = (await sinkTable({ s3: { ...s3, layouts: { ...s3.layouts, more: s3.layouts.keys } } as SinkDefinition })).split('\n');
    expect(rows).toEqual([
      expect.stringMatching(/^\| \[s3\]\(s3\.md\) \| `object` \| the place \| the place \| as text \| no \| 16 MiB for a document or value; .*[^.] \|$/),
      '|  | `keys`, `more` | each key | our keys | as text | no |  |',
    ]);
  });
});
