import { randomUUID } from 'node:crypto';
import { unflatten } from '../../../domain/flatten.ts';
import { encodeLedger } from '../../../domain/ledger.ts';
import { toJson } from '../../../domain/value.ts';
import { helm } from '../../../sinks/helm.ts';
import type { HelmFields } from '../../../sinks/helm/options.ts';
import { viewOf } from '../../../sinks/helm/release-view.ts';
import { createReleases, type Releases } from '../../../sinks/helm/releases.ts';
import { createStore } from '../../../sinks/helm/store.ts';
import { labelsOf, textOf } from '../../../sinks/helm/stored-ledger.ts';
import type { Place, ResolveCredential } from '../../../sinks/sink.ts';
import { freePort } from '../../servers/free-port.ts';
import type { KubernetesServer, KubernetesUser } from '../../servers/kubernetes.ts';
import type { Bench, Fault } from '../contract.ts';
import { fingerprint } from '../contract/scenario.ts';
import type { SilentServer } from '../silent-server.ts';
import { chartPath } from './chart-folder.ts';
import { personWith } from './person.ts';

export interface BenchServers {
  readonly kubernetes: KubernetesServer;
  readonly silent: SilentServer;
  readonly program: string;
}

/** Options that lead to the server, and what reads their credentials as one of its users. */
export function optionsFor({ kubernetes, program }: Pick<BenchServers, 'kubernetes' | 'program'>, more: Readonly<Record<string, unknown>> = {}) {
  return helm.options.parse({ server: kubernetes.url, token: { env: 'TOKEN' }, ca: { env: 'CA' }, program, ...more });
}

export function credentialsOf(kubernetes: KubernetesServer, user: KubernetesUser | 'stranger'): ResolveCredential {
  return async (reference) => ('env' in reference && reference.env === 'CA' ? kubernetes.ca : `${user}-token`);
}

export function createBench(servers: BenchServers): Bench {
  const { kubernetes, silent } = servers;
  const person = personWith(kubernetes, servers.program);
  const fields: HelmFields = helm.destination.parse({ chart: { path: chartPath } });
  const placeName = (): string => `default/web-${randomUUID().slice(0, 12)}`;
  const connectAs = (user: KubernetesUser | 'stranger', more?: Readonly<Record<string, unknown>>) =>
    helm.connect(optionsFor(servers, more), credentialsOf(kubernetes, user));

  async function write({ name }: Place, values: string): Promise<void> {
    await person.helm(name, 'upgrade', [chartPath, '--install', '--reset-values', '--values', '-'], values);
  }

  async function fault(which: Fault) {
    const place: Place = { name: placeName(), layout: 'values', fields };
    switch (which) {
      case 'wrong-credentials':
        return { sink: await connectAs('stranger'), place };
      case 'no-permission':
        return { sink: await connectAs('nobody'), place };
      case 'read-only':
        return { sink: await connectAs('reader'), place };
      case 'gone':
        return { sink: await connectAs('admin', { server: `https://127.0.0.1:${await freePort()}` }), place };
      case 'silent':
        return { sink: await connectAs('admin', { server: `https://127.0.0.1:${silent.port}`, connectTimeout: '500ms' }), place };
    }
  }

  return {
    connect: () => connectAs('admin'),
    connectCut: async (cut) => {
      const options = optionsFor(servers);
      const releases = createReleases(options, credentialsOf(kubernetes, 'admin'));
      const wrapped: Releases = {
        list: (...args) => cut(() => releases.list(...args)),
        patch: (...args) => cut(() => releases.patch(...args)),
        helm: (...args) => cut(() => releases.helm(...args)),
        watch: (...args) => releases.watch(...args),
        close: () => releases.close(),
      };
      return createStore(wrapped, options);
    },
    connectThrough: async (via) => {
      const { hostname, port } = new URL(kubernetes.url);
      const seen = await via({ host: hostname, port: Number(port) });
      return connectAs('admin', { server: `https://${seen.host}:${seen.port}` });
    },
    placeName,
    write: async (place, entries) => {
      if (entries.length > 0) await write(place, toJson(unflatten(entries)));
      // Without its history nothing of a release is left, our labels neither: then it is as if varTrack had never been there.
      else if ((await person.records(place.name)).at(-1)?.status === 'deployed') await person.helm(place.name, 'uninstall', ['--keep-history']);
    },
    writeLedger: async ({ name }, text) => {
      const newest = (await person.records(name)).at(-1);
      if (newest) await person.patch(name, newest, { labels: labelsOf(text) });
    },
    look: async ({ name }) => {
      const records = await person.records(name);
      const newest = records.at(-1);
      if (!newest) return { content: null, ledger: null, undo: null };
      const { values, chart: made } = newest.content();
      const rendered = await person.rendered(name);
      const content = newest.status === 'uninstalled' ? rendered && 'left behind' : { values, made, status: newest.status, rendered: rendered?.data };
      return { content, ...ledgerIn(records, name) };
    },
    traceOfWrites: async ({ name }) => {
      const records = await person.records(name);
      return [records.map((record) => [record.name, record.resourceVersion]), await person.rendered(name)];
    },
    // Deeper than varTrack reads, and no trouble for Helm.
    spoil: (place) => write(place, `${'{"a":'.repeat(205)}1${'}'.repeat(205)}`),
    fault,
    outage: kubernetes.outage,
    stop: async () => undefined,
  };
}

function ledgerIn(records: Parameters<typeof viewOf>[0], name: string): { readonly ledger: string | null; readonly undo: unknown } {
  try {
    const { ledger, stored } = viewOf(records, null, fingerprint, name);
    return { ledger: ledger && encodeLedger(ledger), undo: stored?.undo ?? null };
  } catch {
    return { ledger: textOf(records.at(-1)?.labels ?? {}), undo: null };
  }
}
