import { afterAll } from 'vitest';
import { helm } from '../../sinks/helm.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startKubernetes } from '../servers/kubernetes.ts';
import { programOf } from '../servers/program-of.ts';
import { describeSinkContract } from './contract.ts';
import { createBench, type BenchServers } from './helm/bench.ts';
import { chartPath } from './helm/chart-folder.ts';
import { startSilentServer } from './silent-server.ts';

describeWith(['etcd', 'kube-apiserver', 'helm4'], 'the helm sink', () => {
  let servers: BenchServers | undefined;
  afterAll(async () => {
    await Promise.all([servers?.kubernetes.stop(), servers?.silent.stop()]);
  });

  describeSinkContract('values', {
    definition: helm,
    destination: { chart: { path: chartPath } },
    refuses: ['a big integer'],
    // Each is four runs of Helm.
    values: 'together',
    // The chart of the tests writes all values into one ConfigMap, which takes 1 MiB.
    large: { keys: 5_000, characters: 500_000 },
    cuts: true,
    faults: 'few',
    start: async () => {
      const [kubernetes, silent, program] = await Promise.all([startKubernetes(), startSilentServer(), programOf('helm4')]);
      servers = { kubernetes, silent, program };
      return createBench(servers);
    },
  });
});
