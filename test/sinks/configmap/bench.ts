import { randomUUID } from 'node:crypto';
import type { Place } from '../../../sinks/sink.ts';
import { configmap, type ConfigmapFields } from '../../../sinks/configmap.ts';
import { createAccess } from '../../../sinks/kubernetes/access.ts';
import { createApiServer } from '../../../sinks/kubernetes/api-server.ts';
import { createConfigMaps, type ConfigMap, type ConfigMaps } from '../../../sinks/configmap/config-maps.ts';
import type { ConfigmapOptions } from '../../../sinks/configmap/options.ts';
import { placeNames } from '../../../sinks/configmap/place-names.ts';
import { createStore } from '../../../sinks/configmap/store.ts';
import { writeDocument } from '../../../sinks/leaf-document.ts';
import { freePort } from '../../servers/free-port.ts';
import type { KubernetesServer } from '../../servers/kubernetes.ts';
import type { Bench, Fault } from '../contract.ts';
import type { SilentServer } from '../silent-server.ts';

/** A sink's options for that server; the token is the one of the reference's name. */
export function optionsFor({ url }: Pick<KubernetesServer, 'url'>, user = 'writer', more: Readonly<Record<string, unknown>> = {}): ConfigmapOptions {
  return configmap.options.parse({ server: url, token: { env: user }, ca: { env: 'CA' }, connectTimeout: '1s', requestTimeout: '10s', ...more });
}

export function resolveFor({ ca }: Pick<KubernetesServer, 'ca'>) {
  return async (reference: object): Promise<string> => {
    const name = 'env' in reference ? String(reference.env) : '';
    return name === 'CA' ? ca : `${name}-token`;
  };
}

export function mapsFor(server: Pick<KubernetesServer, 'url' | 'ca'>, user = 'writer'): ConfigMaps {
  const options = optionsFor(server, user);
  return createConfigMaps(createApiServer(options, createAccess(options, resolveFor(server))));
}

export function configMapPath(namespace: string, name = ''): string {
  return `/api/v1/namespaces/${namespace}/configmaps${name === '' ? '' : `/${name}`}`;
}

/** The bench of one layout on a server that several share. `maxAnnotationBytes` forces undo records into the ConfigMap beside. */
export function createBench(server: KubernetesServer, silent: SilentServer, fields: ConfigmapFields, maxAnnotationBytes?: number): Bench {
  const namesOf = (place: Place) => placeNames(place.name, place.layout);
  const get = async (address: { readonly namespace: string; readonly name: string }) => {
    return (await server.call('GET', configMapPath(address.namespace, address.name))) as ConfigMap | undefined;
  };
  const place = (name: string): Place => ({ name, layout: fields.layout, fields });
  const placeName = () => `default/place-${randomUUID()}${fields.layout === 'file' ? '/app.conf' : ''}`;
  const connect = (maps: ConfigMaps) => createStore(maps, ...(maxAnnotationBytes === undefined ? [] : [maxAnnotationBytes]));

  /** Makes exactly these the data of the place; what the ConfigMap holds beside, such as a ledger, stays. */
  async function put(at: Place, data: Readonly<Record<string, string>>, binaryData: Readonly<Record<string, string>> = {}): Promise<void> {
    const { main, file } = namesOf(at);
    const live = await get(main);
    if (!live) {
      if (Object.keys(data).length + Object.keys(binaryData).length === 0) return;
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: main.name }, data, binaryData };
      await server.call('POST', configMapPath(main.namespace), body);
      return;
    }
    const gone = (there: Readonly<Record<string, string>> = {}) =>
      Object.fromEntries((file === null ? Object.keys(there) : [file]).map((key) => [key, null] as const));
    const patch = { data: { ...gone(live.data), ...data }, binaryData: { ...gone(live.binaryData), ...binaryData } };
    await server.call('PATCH', configMapPath(main.namespace, main.name), patch);
  }

  async function fault(which: Fault) {
    const there = place(placeName());
    const connected = async (options: ConfigmapOptions) => ({ sink: await configmap.connect(options, resolveFor(server)), place: there });
    switch (which) {
      case 'wrong-credentials':
        return connected(optionsFor(server, 'stranger'));
      case 'no-permission':
        return connected(optionsFor(server, 'nobody'));
      case 'read-only':
        return connected(optionsFor(server, 'reader'));
      case 'gone':
        return connected(optionsFor({ url: `https://127.0.0.1:${await freePort()}` }));
      case 'silent':
        return connected(optionsFor({ url: `https://127.0.0.1:${silent.port}` }, 'writer', { connectTimeout: '500ms' }));
    }
  }

  return {
    connect: async () => connect(mapsFor(server)),
    connectCut: async (cut) => {
      const maps = mapsFor(server);
      return connect({
        get: (...args) => cut(() => maps.get(...args)),
        create: (...args) => cut(() => maps.create(...args)),
        patch: (...args) => cut(() => maps.patch(...args)),
        delete: (...args) => cut(() => maps.delete(...args)),
        podAnnotations: (...args) => cut(() => maps.podAnnotations(...args)),
        annotatePods: (...args) => cut(() => maps.annotatePods(...args)),
        watch: (...args) => maps.watch(...args),
        close: () => maps.close(),
      });
    },
    connectThrough: async (via) => {
      const { hostname, port } = new URL(server.url);
      const seen = await via({ host: hostname, port: Number(port) });
      return connect(mapsFor({ ...server, url: `https://${seen.host}:${seen.port}` }));
    },
    placeName,
    write: async (at, entries) => {
      const { file } = namesOf(at);
      if (file === null)
        await put(at, Object.fromEntries(entries.map((entry) => configmap.render(entry, fields)).map(({ key, text }) => [key, text] as const)));
      else await put(at, entries.length === 0 ? {} : { [file]: writeDocument(entries, [], fields.format).toString() });
    },
    writeLedger: async (at, text) => {
      const { main, ledger } = namesOf(at);
      await server.call('PATCH', configMapPath(main.namespace, main.name), { metadata: { annotations: { [ledger]: text } } });
    },
    look: async (at) => {
      const { main, side, file, ledger, undo } = namesOf(at);
      const [live, beside] = [await get(main), await get(side)];
      const { [ledger]: own, [undo]: record, ...others } = live?.metadata.annotations ?? {};
      const whole = live && { data: new Map(Object.entries(live.data ?? {})), binaryData: live.binaryData, others, immutable: live.immutable };
      const part = file === null ? whole : (live?.data?.[file] ?? live?.binaryData?.[file]);
      const records = [record, beside?.metadata.annotations?.[undo], beside?.binaryData].filter((each) => each !== undefined);
      return {
        content: part ?? null,
        ledger: own ?? beside?.metadata.annotations?.[ledger] ?? null,
        undo: records.length === 0 ? null : records,
      };
    },
    traceOfWrites: async (at) => {
      const { main, side } = namesOf(at);
      return [(await get(main))?.metadata.resourceVersion, (await get(side))?.metadata.resourceVersion];
    },
    ...(fields.layout === 'file'
      ? { spoil: (at: Place) => put(at, {}, { [namesOf(at).file ?? '']: Buffer.from([0x61, 0xff, 0xfe]).toString('base64') }) }
      : {}),
    fault,
    outage: server.outage,
    stop: async () => undefined,
  };
}
