import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { syncWorkflowId, type RequestResult } from '../../workflows/messages.ts';
import { describeWith } from '../servers/describe-with.ts';
import type { ServerProcess } from '../servers/start-process.ts';
import { expectAtRest, stateOf } from './at-rest.ts';
import { FIRST, openLab, SECOND, until, type Answer, type Lab } from './lab.ts';
import { startSilentProxy, type SilentProxy } from './silent-proxy.ts';

const BURST = 24;

describeWith(['temporal', 'redis', 'seaweedfs'], 'an api that is killed', () => {
  let lab: Lab;
  let api: ServerProcess;
  let worker: ServerProcess;
  let first: string;
  let second: string;
  const proxies: SilentProxy[] = [];

  beforeAll(async () => {
    lab = await openLab({ tenants: 4 + BURST, temporal: inject('temporal').address });
    first = await lab.repository.commit(FIRST);
    [api, worker] = await Promise.all([lab.startApi(), lab.startWorker()]);
    await lab.begin(api, lab.tenants.slice(0, 4), first);
    second = await lab.repository.commit(SECOND);
    await lab.begin(api, lab.tenants.slice(0, 1), second);
  }, 120_000);
  afterAll(async () => {
    await lab?.close();
    await Promise.all(proxies.map((proxy) => proxy.close()));
  }, 60_000);

  it('before Temporal was asked has answered nothing; the forge repeats the delivery, and it is handled once (I9)', async () => {
    const [undisturbed = '', tenant = ''] = lab.tenants;
    const delivery = { commit: second, id: randomUUID() };
    await expect(deliverAndDie(tenant, delivery, 'client')).rejects.toThrow(/fetch failed/);
    expect((await lab.client.workflow.getHandle(syncWorkflowId(tenant, 'config', 'main')).describe()).status.name).toBe('COMPLETED');
    expect((await stateOf(lab, tenant)).ledgers.cache.commit).toBe(first);

    const answer = await lab.deliver(api, tenant, delivery);
    expect(answer.status).toBe(202);
    expect(resultOf(await lab.resultsOf(answer), answer)).toMatchObject({ status: 'Synced', commit: second });
    await expectAtRest(lab, tenant, await stateOf(lab, undisturbed));
    expect((await stateOf(lab, tenant)).ledgers).toMatchObject({ cache: { generation: 2 }, files: { generation: 2 }, bucket: { generation: 2 } });
  }, 90_000);

  it('between the acceptance and its answer has started the run; the repeated delivery writes nothing a second time (I9)', async () => {
    const [undisturbed = '', , tenant = ''] = lab.tenants;
    const delivery = { commit: second, id: randomUUID() };
    await expect(deliverAndDie(tenant, delivery, 'server')).rejects.toThrow(/fetch failed/);
    const handle = lab.client.workflow.getHandle(syncWorkflowId(tenant, 'config', 'main'));
    const unanswered = { status: 0, id: delivery.id, workflowId: handle.workflowId, runId: (await handle.describe()).runId };
    expect(resultOf(await lab.resultsOf(unanswered), unanswered)).toMatchObject({ status: 'Synced', commit: second });
    const { ledgers } = await stateOf(lab, tenant);

    const answer = await lab.deliver(api, tenant, delivery);
    expect(answer.status).toBe(202);
    expect(resultOf(await lab.resultsOf(answer), answer)).toMatchObject({ status: 'Unchanged' });
    expect((await stateOf(lab, tenant)).ledgers).toEqual(ledgers);
    await expectAtRest(lab, tenant, await stateOf(lab, undisturbed));
  }, 90_000);

  it('between the acceptance and its answer: repeated while the run has not ended, the delivery is one request of that run (I9)', async () => {
    const [undisturbed = '', , , tenant = ''] = lab.tenants;
    const delivery = { commit: second, id: randomUUID() };
    await worker.stop();
    await expect(deliverAndDie(tenant, delivery, 'server')).rejects.toThrow(/fetch failed/);
    const answer = await lab.deliver(api, tenant, delivery);
    expect(answer.status).toBe(202);
    worker = await lab.startWorker();
    expect(await lab.resultsOf(answer)).toEqual([
      expect.objectContaining({ id: delivery.id, outcome: expect.objectContaining({ status: 'Synced' }) as object }),
    ]);
    await expectAtRest(lab, tenant, await stateOf(lab, undisturbed));
    expect((await stateOf(lab, tenant)).ledgers).toMatchObject({ cache: { generation: 2 }, files: { generation: 2 }, bucket: { generation: 2 } });
  }, 90_000);

  it('in a burst: what was answered 2xx is acted on, and what was not is, when it is repeated (I9)', async () => {
    const tenants = lab.tenants.slice(4);
    const dying = await lab.startApi();
    const ids = new Map(tenants.map((tenant) => [tenant, randomUUID()]));
    const answered = new Map<string, Answer>();
    await Promise.all(
      tenants.map(async (tenant) => {
        const answer = await lab.deliver(dying, tenant, { commit: second, id: ids.get(tenant) ?? '' }).catch(() => undefined);
        if (!answer) return;
        answered.set(tenant, answer);
        if (answered.size === BURST / 4) await dying.kill();
      }),
    );
    const unanswered = tenants.filter((tenant) => !answered.has(tenant));
    expect(unanswered.length).toBeGreaterThan(0);
    for (const answer of answered.values()) {
      expect(answer.status).toBe(202);
      expect(resultOf(await lab.resultsOf(answer), answer)).toMatchObject({ status: 'Synced', commit: second });
    }
    const repeated = await Promise.all(unanswered.map((tenant) => lab.deliver(api, tenant, { commit: second, id: ids.get(tenant) ?? '' })));
    for (const answer of repeated) expect(['Synced', 'Unchanged']).toContain(resultOf(await lab.resultsOf(answer), answer)?.status);
    const like = await stateOf(lab, tenants[0] ?? '');
    for (const tenant of tenants) {
      await expectAtRest(lab, tenant, like);
      expect((await stateOf(lab, tenant)).ledgers).toMatchObject({ cache: { generation: 1 }, files: { generation: 1 }, bucket: { generation: 1 } });
    }
  }, 90_000);

  /** Sends a webhook through an api that is killed when Temporal was asked, or has answered, and the other side has not heard of it. */
  async function deliverAndDie(tenant: string, delivery: { readonly commit: string; readonly id: string }, silenced: 'client' | 'server'): Promise<void> {
    const proxy = await startSilentProxy(inject('temporal').address);
    proxies.push(proxy);
    const dying = await lab.startApi(proxy.address);
    const handle = lab.client.workflow.getHandle(syncWorkflowId(tenant, 'config', 'main'));
    const { runId: former } = await handle.describe();
    proxy.silence(silenced);
    const answer = lab.deliver(dying, tenant, delivery);
    const reached = silenced === 'client' ? () => proxy.kept().includes(delivery.id) : async () => (await handle.describe()).runId !== former;
    const both = Promise.all([answer, until(reached, 'Temporal is asked').then(() => dying.kill())]);
    await both;
  }
});

function resultOf(results: readonly RequestResult[], { id }: Answer): RequestResult['outcome'] | undefined {
  return results.find((result) => result.id === id)?.outcome;
}
