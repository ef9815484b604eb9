import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWith } from '../../servers/describe-with.ts';
import { contextFor, failure, untouched } from '../contract/scenario.ts';
import { chartPath } from './chart-folder.ts';
import { chartWith, leavePending, scriptAround, startStage, type Stage } from './stage.ts';

describeWith(['etcd', 'kube-apiserver', 'helm4'], 'a release that people work on with Helm, too', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage('helm4');
  });
  afterAll(() => stage?.stop());

  test('tells in its history who wrote what', async () => {
    const it = await stage.begin();
    await it.sync({ host: 'db1' });
    const history = await stage.person.helm(it.place.name, 'history');
    expect(history).toContain('varTrack: acme/settings (production) at aaaaaaaaaaaa, generation 1');
  });

  test('does not go back to an older generation when a person rolls it back, and is then drift', async () => {
    const it = await stage.begin();
    await it.sync({ host: 'db1' });
    await it.sync({ host: 'db2' });
    await stage.person.helm(it.place.name, 'rollback', ['1']);
    expect(await it.read()).toMatchObject({ ledger: { generation: 2, state: 'committed' } });
    expect(await it.sync({ host: 'db2' })).toEqual({ generation: 3, writes: 1 });
  });

  test('is drift when a person upgrades it, and the undo of what healed it brings back what the person wrote', async () => {
    const it = await stage.begin();
    await it.sync({ host: 'db1' });
    await stage.person.helm(it.place.name, 'upgrade', [chartPath, '--reuse-values', '--set', 'host=by-hand,more=x']);
    const { content } = await it.look();
    expect(await it.sync({ host: 'db1' })).toEqual({ generation: 2, writes: 2 });
    await it.restore(2);
    expect((await it.look()).content).toEqual(content);
    expect(await it.ledger()).toMatchObject({ generation: 3, state: 'committed' });
  });

  test('is not undone over what a person wrote since', async () => {
    const it = await stage.begin();
    await it.sync({ host: 'db1' });
    await it.sync({ host: 'db2' });
    await stage.person.helm(it.place.name, 'upgrade', [chartPath, '--set', 'host=by-hand']);
    const error = await untouched(it, () => failure(it.restore(2), 'conflict'));
    expect(error.message).toContain('helm history');
  });

  test('is drift when a person uninstalls it, and begins anew, since its history is gone as well', async () => {
    const it = await stage.begin();
    await it.sync({ host: 'db1' });
    await stage.person.helm(it.place.name, 'uninstall');
    expect(await it.read()).toMatchObject({ exists: false, ledger: null, version: 'absent' });
    expect(await it.sync({ host: 'db1' })).toEqual({ generation: 1, writes: 1 });
  });

  test('is drift when a person uninstalls it and keeps its history, and the undo of what healed it takes it away again', async () => {
    const it = await stage.begin();
    await it.sync({ host: 'db1' });
    await stage.person.helm(it.place.name, 'uninstall', ['--keep-history']);
    expect(await it.read()).toMatchObject({ exists: false, ledger: { generation: 1, state: 'committed' } });
    expect(await it.sync({ host: 'db1' })).toEqual({ generation: 2, writes: 1 });
    expect((await it.look()).content).toMatchObject({ values: '{"host":"db1"}', status: 'deployed' });
    await it.restore(2);
    expect(await it.read()).toMatchObject({ exists: false, ledger: { generation: 3, state: 'committed' } });
    expect(await it.sync({ host: 'db1' })).toEqual({ generation: 4, writes: 1 });
  });

  test('is written anew with the chart that the destination names, and back with the one that it had', async () => {
    const newer = await chartWith({ 'Chart.yaml': 'apiVersion: v2\nname: demo\nversion: 1.1.0\n' });
    const it = await stage.begin();
    await it.sync({ host: 'db1' });
    const place = stage.at(it, { chart: { path: newer.path } });
    expect(await it.sink.read(place, contextFor([]))).toMatchObject({ ledger: { generation: 1, state: 'intent' } });
    const moved = { ...it, place };
    const live = await moved.sink.read(place, contextFor([]));
    const plan = { ...(await it.planWrite({ host: 'db2' })), base: { ledger: live.ledger, exists: live.exists, version: live.version } };
    await it.sink.apply(place, plan, contextFor([]));
    expect((await it.look()).content).toMatchObject({ made: { version: '1.1.0' } });
    await it.sink.restore(place, 2, contextFor([]));
    expect((await it.look()).content).toMatchObject({ made: { version: '1.0.0' }, values: '{"host":"db1"}' });
  });

  describe('between our look at it and Helm’s', () => {
    /** Runs Helm only after a person has upgraded the release. */
    async function late(place: string) {
      const [namespace = '', release = ''] = place.split('/');
      const person = `env -u HELM_KUBEAPISERVER "KUBECONFIG=${stage.servers.kubernetes.kubeconfig}" "$HELM"`;
      const upgrade = `upgrade --install ${release} '${chartPath}' --namespace ${namespace} --set host=by-hand`;
      const script = await scriptAround(stage.servers.program, `${person} ${upgrade} > /dev/null || exit 9\nexec "$HELM" "$@"`);
      return stage.connect({ program: script.path });
    }
    const byHand = { values: '{"host":"by-hand"}', status: 'deployed' };

    test('keeps what a person wrote when it is written', async () => {
      const it = await stage.begin();
      await it.sync({ host: 'db1' });
      await failure(it.apply(await it.planWrite({ host: 'db2' }), await late(it.place.name)), 'conflict');
      expect((await it.look()).content).toMatchObject(byHand);
      expect(await stage.person.records(it.place.name)).toHaveLength(2);
    });

    test('keeps what a person installed when it is installed', async () => {
      const it = await stage.begin();
      await failure(it.apply(await it.planWrite({ host: 'db2' }), await late(it.place.name)), 'conflict');
      expect((await it.look()).content).toMatchObject(byHand);
      expect(await it.ledger()).toBeNull();
    });

    test('keeps what a person wrote when it is undone', async () => {
      const it = await stage.begin();
      await it.sync({ host: 'db1' });
      await it.sync({ host: 'db2' });
      await failure((await late(it.place.name)).restore(it.place, 2, contextFor([])), 'conflict');
      expect((await it.look()).content).toMatchObject(byHand);
    });

    test('keeps what a person wrote when a first write is undone, or it is given up', async () => {
      const it = await stage.begin();
      await it.sync({ host: 'db1' });
      const removal = await it.planRemoval();
      await failure((await late(it.place.name)).restore(it.place, 1, contextFor([])), 'conflict');
      expect((await it.look()).content).toMatchObject(byHand);
      if (removal.kind !== 'write') throw new Error('there is something to give up');
      const moved = { ...removal, base: { ...removal.base, version: (await it.read()).version } };
      await failure(it.apply(moved, await late(it.place.name)), 'conflict');
      expect((await it.look()).content).toMatchObject(byHand);
    });
  });

  test('whose Helm is at work on it is left alone', async () => {
    const it = await stage.begin();
    await it.stranger({ host: 'db1' });
    await leavePending(stage.person, it.place.name, 3_600_000, 'stranger');
    const plan = await it.planWrite({ host: 'db1' }, { policy: { onExisting: 'overwrite' } });
    const error = await untouched(it, () => failure(it.apply({ ...plan, content: 'write' }), 'unavailable'));
    expect(error.message).toContain('pending-upgrade');
    expect(error.retryAfterMs).toBe(10_000);
  });

  describe('whose last write of ours was killed', () => {
    test('is waited for while the write could still go on', async () => {
      const it = await stage.begin();
      await it.sync({ host: 'db1' });
      await leavePending(stage.person, it.place.name, 1_000, 'ours');
      expect(await it.read()).toMatchObject({ ledger: { state: 'intent' } });
      const error = await untouched(it, async () => failure(it.apply(await it.planWrite({ host: 'db1' })), 'unavailable'));
      expect(error.message).toMatch(/taken for lost in \d+ s/);
      expect(error.retryAfterMs).toBe(10_000);
    });

    test('is waited for no longer than it has to be', async () => {
      const it = await stage.begin({ timeout: '5s' });
      await it.sync({ host: 'db1' });
      await leavePending(stage.person, it.place.name, 30_000, 'ours');
      const { retryAfterMs = 0 } = await failure(it.apply(await it.planWrite({ host: 'db1' })), 'unavailable');
      expect(retryAfterMs).toBeGreaterThan(0);
      expect(retryAfterMs).toBeLessThanOrEqual(5_000);
    });

    test('is taken over when it cannot be any more, and goes back to what was there before it', async () => {
      const it = await stage.begin();
      await it.sync({ host: 'db1' });
      const { content } = await it.look();
      await it.sync({ host: 'db2' });
      await leavePending(stage.person, it.place.name, 3_600_000, 'ours');
      expect(await it.sync({ host: 'db3' })).toMatchObject({ generation: 3 });
      await it.restore(3);
      expect((await it.look()).content).toEqual(content);
    });

    test('is written anew when it was taken away half-way, and waited for while that could still go on', async () => {
      const it = await stage.begin();
      await it.sync({ host: 'db1' });
      await leavePending(stage.person, it.place.name, 1_000, 'ours', 'uninstalling');
      await untouched(it, async () => failure(it.apply(await it.planWrite({ host: 'db1' })), 'unavailable'));
      await leavePending(stage.person, it.place.name, 3_600_000, 'ours', 'uninstalling');
      await it.sync({ host: 'db1' });
    });

    test('is undone when it cannot be any more', async () => {
      const it = await stage.begin();
      await it.sync({ host: 'db1' });
      const { content } = await it.look();
      await it.sync({ host: 'db2' });
      await leavePending(stage.person, it.place.name, 3_600_000, 'ours');
      expect(await it.restore(2)).toMatchObject({ generation: 3 });
      expect((await it.look()).content).toEqual(content);
    });
  });

  test('keeps no more revisions than asked for, and one to go back to', async () => {
    const it = await stage.begin();
    const sink = await stage.connect({ historyMax: 3 });
    for (const host of ['db1', 'db2', 'db3', 'db4', 'db5']) await it.apply(await it.planWrite({ host }), sink);
    expect(await stage.person.records(it.place.name)).toHaveLength(3);
    await it.restore(5);
    expect((await it.look()).content).toMatchObject({ values: '{"host":"db4"}' });
  });
});
