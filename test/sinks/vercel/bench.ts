import { randomUUID } from 'node:crypto';
import type { Place, Sink } from '../../../sinks/sink.ts';
import { vercel } from '../../../sinks/vercel.ts';
import type { VercelFields } from '../../../sinks/vercel/options.ts';
import { ownNames } from '../../../sinks/vercel/own-variable.ts';
import { scopeOf } from '../../../sinks/vercel/scope.ts';
import { createVercelSink } from '../../../sinks/vercel/sink.ts';
import { createVariables, type Variables } from '../../../sinks/vercel/variables.ts';
import { freePort } from '../../servers/free-port.ts';
import { startVercel, type VercelRole, type VercelServer } from '../../servers/vercel.ts';
import type { StoredVariable } from '../../servers/vercel/project.ts';
import type { Bench, Fault } from '../contract.ts';
import { startSilentServer } from '../silent-server.ts';

/** Names that are none for an environment variable. */
export const REFUSED = [
  'a key with a space',
  'a key with quotes',
  'a key with a backslash',
  'a key with signs',
  'a key in another script',
  'a key that is a number',
];
/** 64 KB are all there is, with the ledger and what an undo needs. */
export const LARGE = { keys: 100, characters: 12_000 };

/** Makes every call of `variables` go through `cut`. */
function cutVariables(variables: Variables, cut: Parameters<NonNullable<Bench['connectCut']>>[0]): Variables {
  return {
    list: (...args) => cut(() => variables.list(...args)),
    create: (...args) => cut(() => variables.create(...args)),
    edit: (...args) => cut(() => variables.edit(...args)),
    remove: (...args) => cut(() => variables.remove(...args)),
    close: () => variables.close(),
  };
}

export function optionsFor(server: Pick<VercelServer, 'url'>, more: Readonly<Record<string, unknown>> = {}) {
  const limits = { requestsPerMinute: 1_000_000, deletesPerMinute: 1_000_000 };
  return vercel.options.parse({ token: { env: 'TOKEN' }, teamId: 'team_acme', url: server.url, requestTimeout: '10s', ...limits, ...more });
}

export function connectAs(server: VercelServer, role: VercelRole, more: Readonly<Record<string, unknown>> = {}): Promise<Sink> {
  return vercel.connect(optionsFor(server, more), async () => server.token(role));
}

/** The server of the contract, and what somebody with all rights sees and does there. */
export async function startVercelBench(destination: Readonly<Record<string, unknown>>): Promise<Bench> {
  const [server, silent] = await Promise.all([startVercel(), startSilentServer()]);
  const fields: VercelFields = vercel.destination.parse(destination);
  const scope = scopeOf(fields);
  const own = ownNames(scope);
  const place = (name: string): Place => ({ name, layout: fields.layout, fields });
  const placeName = (): string => {
    const name = `acme-${randomUUID()}`;
    server.project(name);
    return name;
  };
  const allAt = (name: string): readonly StoredVariable[] => [...server.project(name).variables.values()];
  const versionsOf = (name: string, item: string): readonly StoredVariable[] =>
    allAt(name)
      .filter(({ key }) => key.startsWith(`${item}_`))
      .toSorted((a, b) => Number(a.key.slice(item.length + 1)) - Number(b.key.slice(item.length + 1)));
  const othersAt = (name: string): readonly StoredVariable[] => allAt(name).filter(({ key }) => !key.startsWith('VARTRACK_'));
  const draftOf = (key: string, value: string) => ({
    key,
    value,
    type: fields.type,
    target: scope.targets,
    customEnvironmentIds: scope.customEnvironments,
    ...(scope.gitBranch === null ? {} : { gitBranch: scope.gitBranch }),
  });

  async function fault(which: Fault) {
    const there = place(placeName());
    switch (which) {
      case 'wrong-credentials':
        return { sink: await vercel.connect(optionsFor(server), async () => 'wrong'), place: there };
      case 'no-permission':
        return { sink: await connectAs(server, 'nobody'), place: there };
      case 'read-only':
        return { sink: await connectAs(server, 'reader'), place: there };
      case 'gone':
        return { sink: await connectAs(server, 'admin', { url: `http://127.0.0.1:${await freePort()}` }), place: there };
      case 'silent':
        return { sink: await connectAs(server, 'admin', { url: `http://127.0.0.1:${silent.port}`, requestTimeout: '500ms' }), place: there };
    }
  }

  return {
    connect: () => connectAs(server, 'admin'),
    connectCut: async (cut) => {
      const options = optionsFor(server);
      const resolve = async () => server.token('admin');
      return createVercelSink(cutVariables(createVariables(options, resolve), cut), options, resolve);
    },
    connectThrough: async (via) => {
      const { hostname, port } = new URL(server.url);
      const seen = await via({ host: hostname, port: Number(port) });
      return connectAs(server, 'admin', { url: `http://${seen.host}:${seen.port}` });
    },
    placeName,
    write: async ({ name }, entries) => {
      const project = server.project(name);
      const wanted = new Map(entries.map((entry) => vercel.render(entry, fields)).map(({ key, text }) => [key, text]));
      for (const { id, key } of othersAt(name)) if (!wanted.has(key)) project.remove(id);
      const standing = new Map(othersAt(name).map((each) => [each.key, each]));
      for (const [key, text] of wanted) {
        const before = standing.get(key);
        if (!before) project.create(draftOf(key, text), false);
        else if (before.value !== text) project.edit(before.id, { value: text });
      }
    },
    writeLedger: async ({ name }, text) => {
      const newest = versionsOf(name, own.ledger).at(-1);
      if (newest) server.project(name).edit(newest.id, { value: text });
      else server.project(name).create(draftOf(`${own.ledger}_1`, text), false);
    },
    // Without comments and ids: a variable whose comment says who wrote it is the same variable to a deployment.
    look: async ({ name }) => {
      const content = othersAt(name).map(({ key, value, type, target, gitBranch, customEnvironmentIds }) =>
        JSON.stringify([key, value, type, target.toSorted(), gitBranch, customEnvironmentIds]),
      );
      return {
        content: content.length === 0 ? null : content.toSorted(),
        ledger: versionsOf(name, own.ledger).at(-1)?.value ?? null,
        undo: versionsOf(name, own.undo).at(-1)?.value ?? null,
      };
    },
    traceOfWrites: async ({ name }) => server.project(name).writes(),
    fault,
    outage: server.outage,
    stop: async () => {
      await Promise.all([server.stop(), silent.stop()]);
    },
  };
}
