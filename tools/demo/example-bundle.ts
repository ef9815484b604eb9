import { readFile, writeFile } from 'node:fs/promises';
import { isMap, isSeq, parseDocument } from 'yaml';

export interface Addresses {
  readonly repository: string;
  /** Directory that stands for /srv/acme of the example. */
  readonly files: string;
  /** Undefined where there is no Redis: the example's destination there is left out. */
  readonly redis: string | undefined;
  /** What the rule does about drift. */
  readonly driftMode: 'heal' | 'warn';
}

/** Nobody wants to wait a minute for what a demo shows. */
const LOOKS_EVERY = '2s';

/** Writes the example's bundle with the demo's own addresses; all else, comments too, stays as it is. */
export async function writeExampleBundle(example: string, target: string, addresses: Addresses): Promise<void> {
  const text = (await readFile(example, 'utf8')).replaceAll('/srv/acme', addresses.files);
  const document = parseDocument(text);
  const acme = ['tenants', 'acme'];
  document.setIn([...acme, 'repositories', 'config', 'url'], addresses.repository);
  if (addresses.redis !== undefined) document.setIn([...acme, 'sinks', 'cache', 'url'], addresses.redis);
  else {
    document.deleteIn([...acme, 'sinks', 'cache']);
    const destinations = document.getIn([...acme, 'rules', 'settings', 'to']);
    if (isSeq(destinations)) destinations.items = destinations.items.filter((item) => isMap(item) && item.get('sink') !== 'cache');
  }
  // A poll between a push and its webhook would be the one that writes it, and the table would say Unchanged.
  document.setIn([...acme, 'repositories', 'config', 'poll'], 'off');
  document.setIn([...acme, 'rules', 'settings', 'drift'], document.createNode({ mode: addresses.driftMode, interval: LOOKS_EVERY }, { flow: true }));
  await writeFile(target, document.toString({ lineWidth: 0 }));
}
