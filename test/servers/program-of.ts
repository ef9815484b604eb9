import { locateServer, type ServerName } from './get.ts';

/** The program of a server that a suite has asked for with `describeWith`; throws with the reason if the machine has none. */
export async function programOf(name: ServerName): Promise<string> {
  const located = await locateServer(name);
  if ('missing' in located) throw new Error(located.missing);
  return located.path;
}
