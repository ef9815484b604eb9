import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configmap } from '../../../sinks/configmap.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { startKubernetes, type KubernetesServer } from '../../servers/kubernetes.ts';
import { canary, contextFor, failure } from '../contract/scenario.ts';
import { configMapPath } from './bench.ts';
import { setStage, type Whole } from './stage.ts';

const MANAGED = { 'app.kubernetes.io/managed-by': 'vartrack' };
const overwrite = { onExisting: 'overwrite' } as const;

describeWith(['etcd', 'kube-apiserver'], 'a ConfigMap', () => {
  let server: KubernetesServer;
  beforeAll(async () => {
    server = await startKubernetes();
  });
  afterAll(() => server.stop());

  const nameOf = () => `stage-${randomUUID()}`;
  const create = (name: string, more: Readonly<Record<string, unknown>>, metadata: Readonly<Record<string, unknown>> = {}) =>
    server.call('POST', configMapPath('default'), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, ...more });
  const patch = (name: string, body: unknown) => server.call('PATCH', configMapPath('default', name), body);

  describe('that others use too', () => {
    const theirs = {
      data: { theirs: 'x\r\n', 'also.theirs': '' },
      binaryData: { blob: 'AP8Q' },
      metadata: {
        labels: { team: 'blue', ...MANAGED },
        annotations: { note: 'é', 'kubectl.kubernetes.io/last-applied-configuration': '{"data":{}}' },
        ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'parent', uid: randomUUID() }],
        finalizers: ['acme.dev/keep'],
      },
    };
    const partsOf = (whole: Whole | undefined) => {
      const { labels, annotations = {}, ownerReferences, finalizers, managedFields = [] } = whole?.metadata ?? ({} as Whole['metadata']);
      const others = Object.fromEntries(Object.entries(annotations).filter(([key]) => !key.startsWith('vartrack.dev/')));
      return { labels, others, ownerReferences, finalizers, managed: managedFields.filter(({ manager }) => manager !== 'vartrack') };
    };

    test.each(['keys', 'file'])('keeps all that is theirs, byte for byte, whatever the layout %s does', async (layout) => {
      const name = nameOf();
      const { metadata, ...content } = theirs;
      await create(name, content, { ...metadata, labels: { team: 'blue' } });
      const stage = setStage(server, { layout }, { name });
      const before = await stage.main();
      const expectTheirs = async () => {
        const now = await stage.main();
        expect(partsOf(now)).toEqual(partsOf(before));
        expect(now?.binaryData).toEqual(content.binaryData);
        expect(now?.data).toMatchObject(content.data);
      };
      await stage.write({ host: 'db1', port: 1 });
      await expectTheirs();
      await stage.write({ host: 'db2' });
      await stage.restore(2);
      await expectTheirs();
      await stage.giveUp();
      await expectTheirs();
      expect((await stage.main())?.data).toEqual(content.data);
      await patch(name, { metadata: { finalizers: null } });
      await stage.sink.close();
    });

    test('is written although they change it all the time', async () => {
      const name = nameOf();
      let meddled = 0;
      const stage = setStage(
        server,
        {},
        {
          name,
          wrap: (maps) => ({
            ...maps,
            patch: async (...args) => {
              if (meddled++ < 3) await patch(name, { data: { theirs: String(meddled) } });
              return maps.patch(...args);
            },
          }),
        },
      );
      await create(name, {});
      await stage.write({ host: 'db1' });
      expect((await stage.main())?.data).toEqual({ host: 'db1', theirs: '3' });
      await stage.sink.close();
    });

    test('holds two documents of ours, written at the same time and each with an undo of its own', async () => {
      const name = nameOf();
      const [one, two] = [setStage(server, { layout: 'file' }, { name, file: 'one.yaml' }), setStage(server, { layout: 'file' }, { name, file: '_two.yaml_' })];
      await Promise.all([one.write({ a: 1 }), two.write({ b: 2 })]);
      await Promise.all([one.write({ a: 3 }), two.write({ b: 4 })]);
      expect((await one.main())?.data).toEqual({ 'one.yaml': 'a: 3\n', '_two.yaml_': 'b: 4\n' });
      await one.restore(2);
      expect((await one.main())?.data).toEqual({ 'one.yaml': 'a: 1\n', '_two.yaml_': 'b: 4\n' });
      await one.giveUp();
      expect((await one.main())?.metadata.labels).toEqual(MANAGED);
      await two.giveUp();
      expect(await one.main()).toBeUndefined();
      await Promise.all([one.sink.close(), two.sink.close()]);
    });

    test('that holds bytes where a key is wanted gets them back with an undo', async () => {
      const name = nameOf();
      await create(name, { binaryData: { host: 'AP8Q' } });
      const stage = setStage(server, {}, { name });
      expect((await stage.sink.read(stage.place, contextFor((await stage.planned({ host: 'x' }, overwrite)).entries))).entries.get('host')).toBeNull();
      await stage.write({ host: 'db1' }, overwrite);
      expect(await stage.main()).toMatchObject({ data: { host: 'db1' } });
      await stage.restore(1);
      const now = await stage.main();
      expect([now?.data, now?.binaryData]).toEqual([undefined, { host: 'AP8Q' }]);
      await stage.sink.close();
    });

    test('loses no document of a stranger when a place is given up that was written over it and undone', async () => {
      const name = nameOf();
      await create(name, { data: { 'app.yaml': 'theirs: 1\n' } });
      const stage = setStage(server, { layout: 'file' }, { name });
      await stage.write({ ours: 1 }, overwrite);
      await stage.restore(1);
      await stage.giveUp();
      const now = await stage.main();
      expect([now?.data, now?.metadata.annotations]).toEqual([{ 'app.yaml': 'theirs: 1\n' }, undefined]);
      await stage.sink.close();
    });
  });

  describe('that we made', () => {
    test('goes with the undo of the write that made it, and what was beside with the next write', async () => {
      const stage = setStage(server);
      await stage.write({ host: 'db1' });
      expect((await stage.main())?.metadata.labels).toEqual(MANAGED);
      await stage.restore(1);
      expect(await stage.main()).toBeUndefined();
      expect((await stage.beside())?.metadata.annotations?.['vartrack.dev/ledger']).toContain('"generation":2');
      await stage.write({ host: 'db2' });
      expect((await stage.main())?.metadata.annotations?.['vartrack.dev/ledger']).toContain('"generation":3');
      expect(await stage.beside()).toBeUndefined();
      await stage.sink.close();
    });

    test('stays with what strangers added to it, and is theirs then', async () => {
      const stage = setStage(server);
      await stage.write({ host: 'db1' });
      const [, name = ''] = stage.place.name.split('/');
      await patch(name, { data: { theirs: 'x' } });
      await stage.restore(1);
      const now = await stage.main();
      expect([now?.data, now?.metadata.labels]).toEqual([{ theirs: 'x' }, undefined]);
      await stage.giveUp();
      expect((await stage.main())?.metadata.annotations).toBeUndefined();
      await stage.sink.close();
    });

    test('is taken back by a writer that stood still while others wrote and undid the place', async () => {
      const name = nameOf();
      const other = setStage(server, {}, { name });
      const zombie = setStage(
        server,
        {},
        {
          name,
          wrap: (maps) => ({
            ...maps,
            create: async (...args) => {
              await other.write({ host: 'newer' });
              await other.restore(1);
              return maps.create(...args);
            },
          }),
        },
      );
      await failure(zombie.write({ host: 'old' }), 'conflict');
      expect(await other.main()).toBeUndefined();
      await Promise.all([other.sink.close(), zombie.sink.close()]);
    });
  });

  describe('that does not take it', () => {
    test('because it is immutable, is refused with what to do, and only where data would change', async () => {
      const name = nameOf();
      await create(name, { data: { host: 'db1' }, immutable: true });
      const stage = setStage(server, {}, { name });
      await stage.write({ host: 'db1' });
      const error = await failure(stage.write({ host: 'db1', port: 1 }), 'rejected');
      expect(error.message).toContain('immutable');
      expect((await stage.main())?.data).toEqual({ host: 'db1' });
      await stage.sink.close();
    });

    test('because its namespace is missing, is absent to read, and refused with what to do when it is written', async () => {
      const stage = setStage(server);
      const place = { ...stage.place, name: 'nowhere/app' };
      expect((await stage.sink.read(place, contextFor([]))).exists).toBe(false);
      const error = await failure(stage.sink.apply(place, await stage.planned({ host: 'db1' }), contextFor([])), 'rejected');
      expect(error.message).toContain('no namespace nowhere');
      await stage.sink.close();
    });

    test('because with the data of others it would be above 1 MiB, is refused before the write', async () => {
      const name = nameOf();
      await create(name, { data: { theirs: 'x'.repeat(600_000) } });
      const stage = setStage(server, {}, { name });
      const before = await stage.main();
      const error = await failure(stage.write({ big: 'y'.repeat(600_000) }), 'too-large');
      expect(error.message).toContain('1200000 bytes');
      expect(await stage.main()).toEqual(before);
      await stage.sink.close();
    });

    test('because the ledger does not fit beside the annotations of others, is refused before the write', async () => {
      const name = nameOf();
      await create(name, {}, { annotations: { theirs: 'x'.repeat(261_000) } });
      const stage = setStage(server, {}, { name });
      const before = await stage.main();
      const error = await failure(stage.write(Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`key${index}`, 'x']))), 'too-large');
      expect(error.message).toContain('annotations');
      expect(await stage.main()).toEqual(before);
      await stage.sink.close();
    });
  });

  test('an undo record that is too large for an annotation is beside, and goes when a later one fits', async () => {
    const stage = setStage(server);
    const noise = () => randomBytes(262_144).toString('base64');
    const first = noise();
    await stage.write({ noise: first });
    await stage.write({ noise: noise() });
    expect(Object.keys((await stage.beside())?.binaryData ?? {})).toEqual(['undo.2']);
    await stage.write({ noise: noise() });
    expect(Object.keys((await stage.beside())?.binaryData ?? {})).toEqual(['undo.2', 'undo.3']);
    await failure(stage.restore(2), 'conflict');
    await stage.restore(3);
    expect(await stage.beside()).toBeUndefined();
    await stage.write({ noise: 'small' });
    await stage.restore(5);
    await stage.write({ noise: first });
    await stage.giveUp();
    expect([await stage.main(), await stage.beside()]).toEqual([undefined, undefined]);
    await stage.sink.close();
  });

  test('a kubeconfig leads to the cluster, and its context says as whom', async () => {
    const connect = (context: string) => {
      const options = configmap.options.parse({ kubeconfig: { file: server.kubeconfig }, context });
      return configmap.connect(options, () => readFile(server.kubeconfig, 'utf8'));
    };
    const stage = setStage(server);
    const [writer, nobody, unknown] = await Promise.all(['writer', 'nobody', 'unknown'].map(connect));
    const made = await stage.planned({ host: 'db1' });
    expect(await writer?.apply(stage.place, made, contextFor([]))).toEqual({ generation: 1, writes: 1 });
    const error = await failure(nobody?.read(stage.place, contextFor([])) ?? Promise.resolve(), 'unauthorized');
    expect(error.message).toContain('may not get configmaps in the namespace default');
    await failure(unknown?.read(stage.place, contextFor([])) ?? Promise.resolve(), 'rejected');
    await Promise.all([writer?.close(), nobody?.close(), unknown?.close(), stage.sink.close()]);
  });

  test('a plugin of a kubeconfig gives the token, and what it says when it fails stays with it', async () => {
    const given = JSON.parse(await readFile(server.kubeconfig, 'utf8')) as { readonly clusters: unknown };
    const connect = (script: string) => {
      const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: ['-c', script], interactiveMode: 'Never' };
      const contexts = [{ name: 'plugged', context: { cluster: 'test', user: 'plugged' } }];
      const config = { ...given, users: [{ name: 'plugged', user: { exec } }], contexts, 'current-context': 'plugged' };
      return configmap.connect(configmap.options.parse({ kubeconfig: { env: 'K' } }), async () => JSON.stringify(config));
    };
    const credential = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token: 'writer-token' } };
    const [works, fails] = await Promise.all([connect(`echo '${JSON.stringify(credential)}'`), connect(`echo ${canary} >&2; exit 3`)]);
    const stage = setStage(server);
    expect(await works.apply(stage.place, await stage.planned({ host: 'db1' }), contextFor([]))).toEqual({ generation: 1, writes: 1 });
    const error = await failure(fails.read(stage.place, contextFor([])), 'unauthorized');
    expect(error.message).toContain('plugin');
    await Promise.all([works.close(), fails.close(), stage.sink.close()]);
  });
});
