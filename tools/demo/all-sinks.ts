import type { SinkKind } from '../../sinks/registry.ts';
import { getServer, type ServerName } from '../../test/servers/get.ts';
import { neededServers, startNineSinks } from '../../test/servers/nine-sinks.ts';
import { writeNineBundle } from './nine-bundle.ts';
import type { Scene } from './scene.ts';
import { tellStoryOfNine } from './story-of-nine.ts';

/** The destinations of examples/nine-sinks.yaml, on the servers that the tests have; what this machine cannot have is left out, with the reason. */
export async function openAllSinks(example: string, progress: (line: string) => void): Promise<Scene> {
  const missing = await missingServers(progress);
  const reasonOf = (kind: SinkKind): string | undefined => neededServers[kind]?.map((server) => missing.get(server)).find((reason) => reason !== undefined);
  const nine = await startNineSinks(['production', 'staging'], (kind) => reasonOf(kind) === undefined);
  const left = (Object.keys(neededServers) as SinkKind[]).filter((kind) => reasonOf(kind) !== undefined);
  return {
    shown: [
      ...nine.sinks.map(({ kind, options, destination }) => [kind, `${addressIn(options)}, place ${destination.place}`] as const),
      ...left.map((kind) => [kind, `not shown: ${reasonOf(kind)}`] as const),
    ],
    credentials: nine.credentials,
    writeBundle: (target, repository) => writeNineBundle(example, target, repository, nine.sinks),
    tell: (stage) => tellStoryOfNine(stage, nine.sinks),
    written: 'the places of the bundle above, at the addresses above',
    close: nine.stop,
  };
}

/** One after the other: building takes all of the machine. */
async function missingServers(progress: (line: string) => void): Promise<ReadonlyMap<ServerName, string>> {
  const missing = new Map<ServerName, string>();
  for (const name of new Set(Object.values(neededServers).flat())) {
    const located = await getServer(name, progress);
    if ('missing' in located) missing.set(name, located.missing);
  }
  return missing;
}

function addressIn(options: Readonly<Record<string, unknown>>): string {
  const { url, endpoint, server, servers, root } = options;
  return String(url ?? endpoint ?? server ?? servers ?? root);
}
