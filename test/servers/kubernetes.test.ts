import { afterAll, beforeAll, expect, test } from 'vitest';

import { describeWith } from './describe-with.ts';
import { startKubernetes, type KubernetesServer } from './kubernetes.ts';

describeWith(['etcd', 'kube-apiserver'], 'a Kubernetes API server for tests', () => {
  let server: KubernetesServer;
  beforeAll(async () => {
    server = await startKubernetes();
  });
  afterAll(() => server.stop());

  const path = '/api/v1/namespaces/default/configmaps';
  const named = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { host: 'db1' } });

  test('lets each user do what it is named after', async () => {
    await server.call('POST', path, named('rights'), 'writer');
    expect(await server.call('GET', `${path}/rights`, undefined, 'reader')).toMatchObject({ data: { host: 'db1' } });
    await expect(server.call('PATCH', `${path}/rights`, { data: { host: 'db2' } }, 'reader')).rejects.toThrow(/403/);
    await expect(server.call('GET', `${path}/rights`, undefined, 'nobody')).rejects.toThrow(/403/);
    await server.call('DELETE', `${path}/rights`, undefined, 'writer');
    expect(await server.call('GET', `${path}/rights`)).toBeUndefined();
  });

  test('keeps its data through an outage', async () => {
    await server.call('POST', path, named('lasting'));
    await server.outage.begin();
    await expect(server.call('GET', `${path}/lasting`)).rejects.toThrow(/ECONNREFUSED|ECONNRESET|socket/);
    await server.outage.end();
    expect(await server.call('GET', `${path}/lasting`)).toMatchObject({ data: { host: 'db1' } });
  });
});
