import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { helm } from '../../../sinks/helm.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { failure } from '../contract/scenario.ts';
import { credentialsOf, optionsFor } from './bench.ts';
import { startStage, type Stage } from './stage.ts';

describeWith(['etcd', 'kube-apiserver', 'helm4'], 'a user with the Role of docs/sinks/helm.md', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage('helm4');
    const page = await readFile(new URL('../../../docs/sinks/helm.md', import.meta.url), 'utf8');
    const text = /```yaml\n(apiVersion: rbac[\s\S]*?)```/.exec(page)?.[1] ?? '';
    const [role, binding] = parseAllDocuments(text).map((document) => document.toJS() as { metadata: object; subjects?: readonly object[] });
    const metadata = { name: 'vartrack-helm', namespace: 'default' };
    const at = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
    await stage.servers.kubernetes.call('POST', `${at}/roles`, { ...role, metadata });
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'nobody' }];
    await stage.servers.kubernetes.call('POST', `${at}/rolebindings`, { ...binding, metadata, subjects });
  });
  afterAll(() => stage?.stop());

  test('writes, undoes, adopts and gives up, and may do nothing elsewhere', async () => {
    const it = await stage.begin();
    const sink = await helm.connect(optionsFor(stage.servers, { historyMax: 3 }), credentialsOf(stage.servers.kubernetes, 'nobody'));
    try {
      for (const host of ['db1', 'db2', 'db3', 'db4']) await it.apply(await it.planWrite({ host }), sink);
      await sink.restore(it.place, 4, { signal: AbortSignal.timeout(30_000), keys: [], fingerprint: String });
      await it.apply(await it.planWrite({ host: 'db3' }, { commit: 'b'.repeat(40) }), sink);
      const removal = await it.planRemoval();
      if (removal.kind === 'write') await it.apply(removal, sink);
      expect(await it.look()).toEqual({ content: null, ledger: null, undo: null });
      const abort = new AbortController();
      await sink.watch?.([it.place], () => abort.abort(), abort.signal);
      expect(abort.signal.aborted).toBe(true);
      const plan = await it.planWrite({ host: 'db1' });
      await it.apply(plan, sink);
      await it.restore(1);
      const elsewhere = { ...it.place, name: 'kube-system/web' };
      const error = await failure(sink.apply(elsewhere, plan, { signal: AbortSignal.timeout(30_000), keys: [], fingerprint: String }), 'unauthorized');
      expect(error.message).toContain('docs/sinks/helm.md');
    } finally {
      await sink.close();
    }
  });
});
