import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { driftWorkflowId, pauseSignal, resumeSignal, syncWorkflowId } from '../../workflows/messages.ts';
import { searchAttributes } from '../../workflows/search-attributes.ts';
import { describeWith } from '../servers/describe-with.ts';
import { openWorld, type World } from './world.ts';

vi.setConfig({ testTimeout: 90_000 });

const RULES = `
  settings:
    from: { repository: config, files: [ "a.yaml" ] }
    environments: { branches: { main: production }, pullRequests: "pr-{number}" }
    schema: none
    to: [ { sink: cache, place: "app:{env}" } ]
    drift: { mode: off }`;

describeWith(['temporal', 'redis'], 'resuming after a pause', () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(RULES);
  });
  afterAll(() => world?.close());

  it('makes the pull requests that the pause held up, gives up what was closed meanwhile, and leaves closed ones closed though their refs are there', async () => {
    const { stack, redis } = world;
    const watch = stack.temporal.client.workflow.getHandle(driftWorkflowId(stack.tenant));
    expect((await stack.push({ 'a.yaml': 'a: 1\n' })).status).toBe('Synced');
    const commit = await stack.repository.commit({ 'a.yaml': 'a: 2\n' }, 'feature');
    const tell = async (number: number, state: 'open' | 'closed') => {
      const delivery = `${number}-${state}`;
      if (state === 'open') await stack.repository.git('push', '-q', 'origin', `${commit}:refs/pull/${number}/head`);
      await stack.post({ pullRequest: { number, branch: 'feature', state }, commit }, { delivery });
      return (await stack.outcomeOf(`pr:${number}`, delivery)).status;
    };
    expect([await tell(1, 'open'), await tell(1, 'closed'), await tell(2, 'open')]).toEqual(['Synced', 'Synced', 'Synced']);
    await watch.signal(pauseSignal, { by: 'ann', reason: 'a race' });
    await expect.poll(async () => (await watch.describe()).memo?.['pause']).toMatchObject({ by: 'ann' });
    expect([await tell(2, 'closed'), await tell(3, 'open')]).toEqual(['Parked', 'Parked']);

    await watch.signal(resumeSignal, { by: 'ann' });
    await expect.poll(() => redis.hgetall('app:pr-3'), { timeout: 20_000 }).toEqual({ a: '2' });
    await expect.poll(() => redis.hgetall('app:pr-2'), { timeout: 20_000 }).toEqual({});
    await world.idle();
    const last = await stack.temporal.client.workflow.getHandle(syncWorkflowId(stack.tenant, 'config', 'pr:1')).describe();
    expect(last.typedSearchAttributes.get(searchAttributes.trigger)).toBe('closed');
    expect(await redis.hgetall('app:pr-1')).toEqual({});
  });
});
