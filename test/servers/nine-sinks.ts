import { startKubernetes } from './kubernetes.ts';
import type { ServerName } from './get.ts';
import { configmapSink } from './nine-sinks/configmap.ts';
import { consulSink } from './nine-sinks/consul.ts';
import { helmSink } from './nine-sinks/helm.ts';
import { linuxSink } from './nine-sinks/linux.ts';
import { mongodbSink } from './nine-sinks/mongodb.ts';
import type { OneSink } from './nine-sinks/one-sink.ts';
import { redisSink } from './nine-sinks/redis.ts';
import { s3Sink } from './nine-sinks/s3.ts';
import { vercelSink } from './nine-sinks/vercel.ts';
import { zookeeperSink } from './nine-sinks/zookeeper.ts';

/** One sink of each kind, all up. */
export interface NineSinks {
  readonly sinks: readonly OneSink[];
  /** Below `sinks:` of a tenant, as YAML, indented by two. */
  readonly sinksYaml: string;
  /** Below `to:` of a rule, as YAML of one line. */
  readonly toYaml: string;
  readonly credentials: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Servers that {@link startNineSinks} needs, of those that a machine may lack. */
export const neededServers: Readonly<Partial<Record<OneSink['kind'], readonly ServerName[]>>> = {
  redis: ['redis'],
  mongodb: ['ferretdb'],
  zookeeper: ['zookeeper'],
  s3: ['seaweedfs'],
  configmap: ['etcd', 'kube-apiserver'],
  helm: ['etcd', 'kube-apiserver', 'helm4'],
  consul: ['consul'],
};

/** Starts what one sink of each kind needs, all at the same time; `only` leaves out what a machine cannot have. */
export async function startNineSinks(environments: readonly string[], only: (kind: OneSink['kind']) => boolean = () => true): Promise<NineSinks> {
  const stops: (() => Promise<void>)[] = [];
  const cluster = only('configmap') || only('helm') ? startKubernetes() : undefined;
  const start: Readonly<Record<OneSink['kind'], () => Promise<OneSink | undefined>>> = {
    redis: redisSink,
    mongodb: mongodbSink,
    zookeeper: zookeeperSink,
    s3: s3Sink,
    configmap: async () => cluster && configmapSink(await cluster),
    helm: async () => cluster && helmSink(await cluster),
    consul: consulSink,
    vercel: () => vercelSink(environments),
    linux: linuxSink,
  };
  const kinds = (Object.keys(start) as OneSink['kind'][]).filter(only);
  const begun = await Promise.allSettled([cluster?.then((server) => void stops.push(() => server.stop())), ...kinds.map((kind) => start[kind]())]);
  const sinks = begun.flatMap((each) => (each.status === 'fulfilled' && each.value ? [each.value] : []));
  stops.unshift(...sinks.map((sink) => () => sink.stop()));
  const stop = async (): Promise<void> => {
    // What one of them has to complain about keeps none of the others.
    const ends = await Promise.allSettled(stops.splice(0).map((each) => each()));
    throwFirst(ends);
  };
  if (begun.some(({ status }) => status === 'rejected')) {
    await stop().catch(() => undefined);
    throwFirst(begun);
  }
  return {
    sinks,
    sinksYaml: sinks.map(({ kind, options }) => `  ${kind}: ${JSON.stringify({ kind, ...options })}`).join('\n'),
    toYaml: JSON.stringify(sinks.map(({ kind, destination }) => ({ sink: kind, ...destination }))),
    credentials: Object.assign({}, ...sinks.map((sink) => sink.credentials)) as Record<string, string>,
    stop,
  };
}

function throwFirst(ends: readonly PromiseSettledResult<unknown>[]): void {
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
