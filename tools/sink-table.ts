import { readFile, writeFile } from 'node:fs/promises';
import { sinkDefinitions } from '../sinks/registry.ts';
import type { Capabilities, SinkDefinition } from '../sinks/sink.ts';

export const sinkTableFile = new URL('../docs/sinks/README.md', import.meta.url);

const BEGIN = '<!-- Made by tools/sink-table.ts out of what the sinks declare and the first sentence of each page’s limits. -->';
const END = '<!-- End of what is made. -->';

const HEAD = ['kind', 'layouts', 'what changes at once', 'what is ours', 'read-back', 'tells changes', 'limits'];
const AT_ONCE = { place: 'the place', key: 'each key' } as const;
const OURS = { keys: 'our keys', place: 'the place' } as const;
const READ_BACK = { readable: 'as text', fingerprint: 'by fingerprint', hidden: 'no: `Unverifiable`' } as const;

/** The text of `docs/sinks/README.md`: what people wrote there, with the table as the registry has it now. */
export async function sinkTablePage(definitions: Readonly<Record<string, SinkDefinition>> = sinkDefinitions): Promise<string> {
  const page = await readFile(sinkTableFile, 'utf8');
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before < 0 || after < before) throw new Error('docs/sinks/README.md has lost the two lines that the table stands between');
  return `${page.slice(0, before)}${BEGIN}\n\n${await sinkTable(definitions)}\n\n${page.slice(after)}`;
}

/** One row for the layouts of a kind that promise the same. */
export async function sinkTable(definitions: Readonly<Record<string, SinkDefinition>>): Promise<string> {
  const rows = await Promise.all(
    Object.values(definitions).map(async (definition) => {
      const groups = Map.groupBy(Object.entries(definition.layouts), ([, capabilities]) => JSON.stringify(capabilitiesOf(capabilities)));
      const limits = await limitsOf(definition.kind);
      return [...groups.values()].map((layouts, index) => {
        const [, promised] = layouts[0] ?? [];
        const first = index === 0;
        const names = layouts.map(([name]) => `\`${name}\``).join(', ');
        const notifies = definition.notifies ? 'yes' : 'no';
        return [
          first ? `[${definition.kind}](${definition.kind}.md)` : '',
          names,
          ...(promised ? capabilitiesOf(promised) : []),
          notifies,
          first ? limits : '',
        ];
      });
    }),
  );
  return [HEAD, HEAD.map(() => '---'), ...rows.flat()].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function capabilitiesOf({ atomicity, ownership, values }: Capabilities): readonly string[] {
  return [AT_ONCE[atomicity], OURS[ownership], READ_BACK[values]];
}

/** The first sentence of the page's section, which is where people look for the rest; nothing where a page has none. */
async function limitsOf(kind: string): Promise<string> {
  const page = await readFile(new URL(`${kind}.md`, sinkTableFile), 'utf8').catch(() => '');
  const section = /^## Limits\n+(?:- )?([^]+?)(?:\n\n|\n- |\n## |\n*(?![^]))/m.exec(page)?.[1];
  if (section === undefined) return '';
  const [sentence = ''] = section.replaceAll(/\s+/g, ' ').split(/(?<=[a-z`)]\.)\s/);
  return sentence.replace(/\.$/, '').replaceAll('|', '\\|');
}

if (import.meta.main) await writeFile(sinkTableFile, await sinkTablePage());
