import { afterAll } from 'vitest';
import { configmap } from '../../sinks/configmap.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startKubernetes, type KubernetesServer } from '../servers/kubernetes.ts';
import { createBench } from './configmap/bench.ts';
import { describeSinkContract, type ContractLeg } from './contract.ts';
import { startSilentServer, type SilentServer } from './silent-server.ts';

/** What Kubernetes does not take as a data key. */
const refusedAsKeys = [
  'a key with a literal dot',
  'a key with a space',
  'a key with quotes',
  'a key with a backslash',
  'a key with signs',
  'a key in another script',
];
/** A ConfigMap takes 1 MiB of data and 256 KiB of annotations. */
const large = { keys: 5_000, characters: 600_000 };
const cannot = { outage: 'staged for keys', silent: 'staged for keys and file', watch: 'staged for keys and file' } as const;

const legs: Readonly<Record<string, Omit<ContractLeg, 'definition' | 'start'> & { readonly maxAnnotationBytes?: number }>> = {
  keys: { destination: {}, refuses: refusedAsKeys, large, cuts: true, faults: true },
  'keys, undo record beside': {
    destination: {},
    refuses: refusedAsKeys,
    large: { ...large, keys: 500 },
    cuts: true,
    cannot,
    values: 'together',
    maxAnnotationBytes: 0,
  },
  file: {
    destination: { layout: 'file' },
    values: 'together',
    large: { ...large, keys: 2_000 },
    cuts: true,
    faults: true,
    cannot: { outage: 'staged for keys' },
  },
};

describeWith(['etcd', 'kube-apiserver'], 'the configmap sink', () => {
  let started: Promise<readonly [KubernetesServer, SilentServer]> | undefined;
  afterAll(async () => {
    for (const server of (await started) ?? []) await server.stop();
  });

  for (const [name, { maxAnnotationBytes, ...leg }] of Object.entries(legs)) {
    describeSinkContract(name, {
      ...leg,
      definition: configmap,
      start: async () =>
        createBench(
          ...(await (started ??= Promise.all([startKubernetes(), startSilentServer()]))),
          configmap.destination.parse(leg.destination),
          maxAnnotationBytes,
        ),
    });
  }
});
