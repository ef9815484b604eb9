import { readFile, writeFile } from 'node:fs/promises';
import { isMap, isSeq, parseDocument } from 'yaml';
import type { OneSink } from '../../test/servers/nine-sinks/one-sink.ts';

const acme = ['tenants', 'acme'];

/** Writes the example's bundle with these sinks in place of its own of the same kind; sinks of other kinds are left out. */
export async function writeNineBundle(example: string, target: string, repository: string, sinks: readonly OneSink[]): Promise<void> {
  const document = parseDocument(await readFile(example, 'utf8'));
  document.setIn([...acme, 'repositories', 'config', 'url'], repository);
  const named = document.getIn([...acme, 'sinks']);
  const to = document.getIn([...acme, 'rules', 'settings', 'to']);
  if (!isMap(named) || !isSeq(to)) throw new Error(`${example} has no sinks, or no destinations`);
  const names = named.items.map(({ key }) => String(key));
  for (const name of names) {
    const kind = document.getIn([...acme, 'sinks', name, 'kind']);
    const found = sinks.find((sink) => sink.kind === kind);
    const index = to.items.findIndex((item) => isMap(item) && item.get('sink') === name);
    if (found) {
      named.set(name, document.createNode({ kind, ...found.options }, { flow: true }));
      to.set(index, document.createNode({ sink: name, ...found.destination }, { flow: true }));
    } else {
      named.delete(name);
      to.delete(index);
    }
  }
  await writeFile(target, document.toString({ lineWidth: 0 }));
}
