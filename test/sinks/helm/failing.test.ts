import { readdir, readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { describeWith } from '../../servers/describe-with.ts';
import { canary, contextFor, failure, untouched } from '../contract/scenario.ts';
import { chartWith, scriptAround, startStage, type Stage } from './stage.ts';

/** Makes an object that is named by a value. */
const named = `apiVersion: v1
kind: ConfigMap
metadata:
  name: "{{ .Release.Name }}-{{ .Values.name }}"
`;

describeWith(['etcd', 'kube-apiserver', 'helm4'], 'a run of Helm', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage('helm4');
  });
  afterAll(() => stage?.stop());

  test('that the cluster refuses half-way is no success, and can be tried again and undone', async () => {
    const chart = await chartWith({ 'templates/named.tpl': named });
    const it = await stage.begin({ chart: { path: chart.path } });
    await it.sync({ name: 'good', host: 'db1' });
    const { content } = await it.look();
    for (const generation of [2, 3]) {
      const error = await failure(it.apply(await it.planWrite({ name: `Bad_${canary}`, host: 'db2' })), 'rejected');
      expect(error.message).toContain('configmaps');
      expect(await it.read()).toMatchObject({ ledger: { generation, state: 'intent' } });
    }
    await it.restore(3);
    expect((await it.look()).content).toEqual(content);
    await it.sync({ name: 'better', host: 'db3' });
  });

  test('that the schema of the chart refuses names the key and changes nothing', async () => {
    const schema = { type: 'object', properties: { redis: { type: 'object', properties: { port: { type: 'integer', maximum: 9 } } } } };
    const chart = await chartWith({ 'values.schema.json': JSON.stringify(schema) });
    const it = await stage.begin({ chart: { path: chart.path } });
    const plan = await it.planWrite({ 'redis.port': `not a port ${canary}` });
    const error = await untouched(it, () => failure(it.apply(plan), 'rejected'));
    expect(error.message).toMatch(/schema of the chart refuses.*redis\.port/);
  });

  test('that a template breaks off names the template and not what it said', async () => {
    const chart = await chartWith({ 'templates/check.tpl': '{{ fail (printf "refused: %s" .Values.host) }}' });
    const it = await stage.begin({ chart: { path: chart.path } });
    const plan = await it.planWrite({ host: canary });
    const error = await untouched(it, () => failure(it.apply(plan), 'rejected'));
    expect(error.message).toContain('demo/templates/check.tpl');
  });

  test('whose chart is not there says so', async () => {
    const it = await stage.begin({ chart: { path: '/nowhere/chart' } });
    const error = await untouched(it, async () => failure(it.apply(await it.planWrite({ host: canary })), 'rejected'));
    expect(error.message).toContain('/nowhere/chart');
  });

  test('whose program is not there says so', async () => {
    const it = await stage.begin();
    const sink = await stage.connect({ program: '/nowhere/helm' });
    const error = await failure(it.apply(await it.planWrite({ host: canary }), sink), 'unsupported');
    expect(error.message).toContain('install Helm');
  });

  test('makes a namespace where the destination says so, and not otherwise', async () => {
    const name = `made-${randomUUID().slice(0, 8)}`;
    const it = await stage.begin();
    const plan = await it.planWrite({ host: 'db1' });
    const without = { ...stage.at(it, {}), name: `${name}/web` };
    const error = await failure(it.sink.apply(without, plan, contextFor([])), 'rejected');
    expect(error.message).toContain('namespace');
    const made = { ...stage.at(it, { createNamespace: true }), name: `${name}/web` };
    expect(await it.sink.apply(made, plan, contextFor([]))).toEqual({ generation: 1, writes: 1 });
  });

  test('has values, token and address in no argument, and values in no variable and no file', async () => {
    const script = await scriptAround(
      stage.servers.program,
      '{ echo "$@"; env; find "$HOME" -type f -exec cat {} +; } >> "$DIR/log"\necho "$@" >> "$DIR/args"\nexec "$HELM" "$@"',
    );
    const it = await stage.begin();
    const sink = await stage.connect({ program: script.path });
    await it.apply(await it.planWrite({ host: canary }), sink);
    await it.apply(await it.planWrite({ host: `${canary} again` }), sink);
    await sink.restore(it.place, 2, contextFor([]));
    const log = await readFile(`${script.folder}/log`, 'utf8');
    expect(log).toContain('upgrade');
    expect(log).toContain('rollback');
    expect(log).not.toContain(canary);
    expect(log).not.toContain('admin-token');
    expect(await readFile(`${script.folder}/args`, 'utf8')).not.toMatch(/127\.0\.0\.1/);
  });

  test.each([
    ['is cancelled', 'trap "" TERM', '2m'],
    ['takes longer than its timeout', '', '1s'],
  ])('that %s is over when the call is, with all that it had started', async (why, trap, timeout) => {
    const script = await scriptAround(stage.servers.program, `${trap}\necho $$ > "$DIR/pid"\nwhile :; do sleep 1; done`);
    const it = await stage.begin({ timeout });
    const plan = await it.planWrite({ host: canary });
    const sink = await stage.connect({ program: script.path });
    const abort = new AbortController();
    onTestFinished(() => abort.abort());
    const call = failure(sink.apply(it.place, plan, contextFor([], abort.signal)), 'unavailable');
    if (why === 'is cancelled') {
      await expect.poll(() => readFile(`${script.folder}/pid`, 'utf8').catch(() => ''), { timeout: 10_000 }).toMatch(/\d/);
      abort.abort();
    }
    await untouched(it, () => call);
    const pid = Number(await readFile(`${script.folder}/pid`, 'utf8'));
    await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
  });

  test('leaves nothing on the machine when the sink is closed', async () => {
    const it = await stage.begin();
    const sink = await stage.connect();
    const before = await scratches();
    await it.apply(await it.planWrite({ host: 'db1' }), sink);
    const own = (await scratches()).filter((name) => !before.includes(name));
    expect(own).toHaveLength(1);
    await sink.close();
    expect(await scratches()).not.toContain(own[0]);
  });
});

async function scratches(): Promise<readonly string[]> {
  return (await readdir('/dev/shm').catch(() => [])).filter((name) => name.startsWith('vartrack-helm-') && name.includes(`-${process.pid}-`));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
