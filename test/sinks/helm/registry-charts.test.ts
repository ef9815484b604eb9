import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { helm } from '../../../sinks/helm.ts';
import type { Sink } from '../../../sinks/sink.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { failure } from '../contract/scenario.ts';
import { credentialsOf, optionsFor } from './bench.ts';
import { startChartRegistry, type ChartRegistry } from './chart-registry.ts';
import { scriptAround, startStage, type Stage } from './stage.ts';

const password = 'right horse';

describeWith(['etcd', 'kube-apiserver', 'helm4'], 'a chart of a registry', () => {
  let stage: Stage;
  let registry: ChartRegistry;
  beforeAll(async () => {
    stage = await startStage('helm4');
    registry = await startChartRegistry(stage.servers.program, password);
  });
  afterEach(() => void vi.unstubAllEnvs());
  afterAll(async () => {
    await registry?.stop();
    await stage?.stop();
  });

  const chart = (version: string) => ({ chart: { oci: registry.chart, version } });
  async function connect(given: string, program = stage.servers.program): Promise<Sink> {
    const login = { username: 'reader', password: { env: 'CHARTS' } };
    const sink = await helm.connect(optionsFor({ ...stage.servers, program }, { charts: { [registry.host]: login } }), async (reference) =>
      'env' in reference && reference.env === 'CHARTS' ? given : credentialsOf(stage.servers.kubernetes, 'admin')(reference),
    );
    onTestFinished(() => sink.close());
    return sink;
  }

  test('is fetched once for a connection, with a login that is in no argument', async () => {
    vi.stubEnv('SSL_CERT_FILE', registry.ca);
    const script = await scriptAround(stage.servers.program, 'echo "$@" >> "$DIR/args"\nexec "$HELM" "$@"');
    const it = await stage.begin(chart('1.3.0'));
    const sink = await connect(password, script.path);
    await it.apply(await it.planWrite({ host: 'db1' }), sink);
    await it.apply(await it.planWrite({ host: 'db2' }), sink);
    expect(registry.served()).toBe(1);
    expect((await it.look()).content).toMatchObject({ made: { name: 'demo', version: '1.3.0' } });
    expect(await it.plan({ host: 'db2' }, { inputsMoved: false })).toEqual({ kind: 'unchanged', generation: 2 });
    expect(await readFile(join(script.folder, 'args'), 'utf8')).not.toContain(password);
  });

  test.each([
    ['whose login is refused', 'wrong horse', '1.3.0', 'trusted', 'unauthorized', 'check the login'],
    ['that has no such version', password, '9.9.9', 'trusted', 'rejected', 'no such chart or version'],
    ['whose certificate is not trusted', password, '1.3.0', 'not trusted', 'rejected', 'SSL_CERT_FILE'],
  ] as const)('%s changes nothing', async (_what, given, version, trust, reason, advice) => {
    if (trust === 'trusted') vi.stubEnv('SSL_CERT_FILE', registry.ca);
    const it = await stage.begin(chart(version));
    const error = await failure(it.apply(await it.planWrite({ host: 'db1' }), await connect(given)), reason);
    expect(error.message).toContain(`${registry.chart} ${version}`);
    expect(error.message).toContain(advice);
    expect(error.message).not.toContain('horse');
    expect((await it.look()).content).toBeNull();
  });
});
