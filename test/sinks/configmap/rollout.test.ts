import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SinkError } from '../../../sinks/errors.ts';
import type { ConfigMaps } from '../../../sinks/configmap/config-maps.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startKubernetes, type KubernetesServer } from '../../servers/kubernetes.ts';
import { contextFor, failure } from '../contract/scenario.ts';
import { setStage } from './stage.ts';

const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';

interface Deployment {
  readonly metadata: { readonly generation: number };
  readonly spec: { readonly template: { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } } };
}

describeWith(['etcd', 'kube-apiserver'], 'a rollout', () => {
  let server: KubernetesServer;
  beforeAll(async () => {
    server = await startKubernetes();
  });
  afterAll(() => server.stop());

  async function deploy(): Promise<string> {
    const name = `web-${randomUUID()}`;
    const labels = { app: name };
    const template = { metadata: { labels, annotations: { theirs: 'x' } }, spec: { containers: [{ name: 'web', image: 'web' }] } };
    await server.call('POST', DEPLOYMENTS, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: { selector: { matchLabels: labels }, template },
    });
    return name;
  }

  /** What varTrack says in the pod template, and how often the Deployment changed. */
  async function stateOf(name: string) {
    const { metadata, spec } = (await server.call('GET', `${DEPLOYMENTS}/${name}`)) as Deployment;
    const { theirs, ...ours } = spec.template.metadata.annotations ?? {};
    expect(theirs).toBe('x');
    return { generation: metadata.generation, ours };
  }

  /** A stage whose patches of Deployments fail with the reason, as long as there is one. */
  function stageFailing(rollout: readonly string[], reason: { current: 'unauthorized' | 'unavailable' | null }) {
    const wrap = (maps: ConfigMaps): ConfigMaps => ({
      ...maps,
      annotatePods: async (...args) => {
        if (reason.current !== null) throw new SinkError(reason.current, 'staged');
        await maps.annotatePods(...args);
      },
    });
    return setStage(server, { rollout }, { wrap });
  }

  test('begins with each change of a value, also with an undo, and with nothing else', async () => {
    const [one, two] = [await deploy(), await deploy()];
    const stage = setStage(server, { rollout: [one, two] });
    const fresh = await stateOf(one);
    await stage.write({ host: 'db1' });
    const first = await stateOf(one);
    expect((await stateOf(two)).ours).toEqual(first.ours);
    expect([first.generation, Object.keys(first.ours).length]).toEqual([2, 1]);
    const made = await stage.planned({ host: 'db2' });
    await stage.apply(made);
    await stage.apply(made);
    const second = await stateOf(one);
    expect(second.generation).toBe(3);
    expect(second.ours).not.toEqual(first.ours);
    await stage.restore(2);
    await stage.restore(2);
    expect(await stateOf(one)).toEqual({ generation: 4, ours: first.ours });
    expect(fresh.ours).toEqual({});
    await stage.sink.close();
  });

  test('is taken back with the write that was the first', async () => {
    const name = await deploy();
    const stage = setStage(server, { layout: 'file', rollout: [name] });
    await stage.write({ host: 'db1' });
    await stage.restore(1);
    expect((await stateOf(name)).ours).toEqual({});
    await stage.sink.close();
  });

  test('of a Deployment that does not exist is refused before anything is written', async () => {
    const stage = setStage(server, { rollout: ['nothing'] });
    const error = await failure(stage.write({ host: 'db1' }), 'rejected');
    expect(error.message).toContain('deployment default/nothing');
    expect(await stage.main()).toBeUndefined();
    await stage.sink.close();
  });

  test('that fails leaves the write unfinished, and the next attempt finishes it', async () => {
    const name = await deploy();
    const reason: { current: 'unavailable' | null } = { current: 'unavailable' };
    const stage = stageFailing([name], reason);
    const made = await stage.planned({ host: 'db1' });
    const error = await failure(stage.apply(made), 'unavailable');
    expect(error.message).toContain('the values are written, and the rollout is not begun');
    expect((await stage.sink.read(stage.place, contextFor([]))).ledger?.state).toBe('intent');
    reason.current = null;
    await stage.apply(made);
    expect((await stage.sink.read(stage.place, contextFor([]))).ledger).toEqual(made.ledger);
    expect((await stateOf(name)).generation).toBe(2);
    await stage.sink.close();
  });

  test('that fails is finished by the next write too, whose undo brings back what was there before both', async () => {
    const name = await deploy();
    const reason: { current: 'unavailable' | null } = { current: null };
    const stage = stageFailing([name], reason);
    await stage.write({ host: 'db1', old: 'x' });
    const before = await stateOf(name);
    reason.current = 'unavailable';
    await failure(stage.write({ host: 'db2', more: 'y' }), 'unavailable');
    reason.current = null;
    await stage.write({ host: 'db3', more: 'y' });
    expect((await stateOf(name)).ours).not.toEqual(before.ours);
    await stage.restore(3);
    expect((await stage.main())?.data).toEqual({ host: 'db1', old: 'x' });
    expect((await stateOf(name)).ours).toEqual(before.ours);
    await stage.sink.close();
  });

  test('that may not be begun can be undone without it', async () => {
    const name = await deploy();
    const stage = stageFailing([name], { current: 'unauthorized' });
    await failure(stage.write({ host: 'db1' }), 'unauthorized');
    await stage.restore(1);
    expect(await stage.main()).toBeUndefined();
    await stage.sink.close();
  });

  test('that an undo did not get to begin is begun by the next attempt', async () => {
    const name = await deploy();
    const reason: { current: 'unavailable' | null } = { current: null };
    const stage = stageFailing([name], reason);
    await stage.write({ host: 'db1' });
    const before = await stateOf(name);
    await stage.write({ host: 'db2' });
    reason.current = 'unavailable';
    await failure(stage.restore(2), 'unavailable');
    reason.current = null;
    await stage.restore(2);
    expect((await stateOf(name)).ours).toEqual(before.ours);
    await stage.sink.close();
  });
});
