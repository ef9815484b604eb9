import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Repository } from '../../domain/bundle.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startGitea, type GiteaRepository, type GiteaServer } from '../servers/gitea.ts';
import { bundleOf, repositoryOf, startApiUnderTest, type ApiUnderTest } from './api-under-test.ts';

const SECRET = 'a secret of the hook';
const WITHIN = { timeout: 20_000, interval: 50 };

describeWith('gitea', 'a real Gitea', () => {
  let gitea: GiteaServer;
  let api: ApiUnderTest;
  const configured: Record<string, Repository> = { stranger: repositoryOf('gitea') };

  beforeAll(async () => {
    gitea = await startGitea();
    api = await startApiUnderTest({ bundle: () => bundleOf(configured), resolveCredential: () => Promise.resolve(SECRET) });
  }, 120_000);
  afterAll(async () => {
    await gitea?.stop();
    await api?.server.drain(0);
  });

  it('is heard when a branch is pushed', async () => {
    const { repository, started, outcomes } = await configure('branch');
    const commit = await repository.push('main', { 'settings.yaml': 'pool: 5\n' });
    const request = { trigger: 'push', ref: { kind: 'branch', name: 'main' }, commit, by: 'forgeadmin' };
    await expect.poll(started, WITHIN).toMatchObject([{ stream: { tenant: 'acme', stream: 'main' }, request }]);
    await expect.poll(outcomes, WITHIN).toEqual(['push accepted']);
    expect(started()[0]?.request.id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is heard when a tag is pushed, once, though it also says that a tag was created', async () => {
    const { repository, started, outcomes } = await configure('tag');
    await repository.pushTag('v1.0.0');
    await expect.poll(() => outcomes().toSorted(), WITHIN).toEqual(['create nothing-to-do', 'push accepted']);
    expect(started()).toMatchObject([{ stream: { stream: 'tags:v*' }, request: { ref: { kind: 'tag', name: 'v1.0.0' } } }]);
  });

  it('is heard when a pull request is opened, moved and closed, and not when a branch is deleted', async () => {
    const { repository, started, outcomes } = await configure('pull');
    await repository.push('feature/pool', { 'settings.yaml': 'pool: 6\n' });
    const number = await repository.openPullRequest('feature/pool');
    const stream = { stream: `pr:${number}` };
    const ref = { kind: 'pull-request', number, branch: 'feature/pool' };
    await expect.poll(started, WITHIN).toMatchObject([{ stream, request: { trigger: 'push', ref } }]);
    const commit = await repository.push('feature/pool', { 'settings.yaml': 'pool: 7\n' });
    await expect.poll(() => started().slice(1), WITHIN).toMatchObject([{ stream, request: { trigger: 'push', ref, commit } }]);
    await repository.closePullRequest(number);
    await expect.poll(() => started().slice(2), WITHIN).toMatchObject([{ stream, request: { trigger: 'closed', ref } }]);
    await repository.deleteBranch('feature/pool');
    await expect.poll(outcomes, WITHIN).toContain('delete nothing-to-do');
    expect(started()).toHaveLength(3);
  });

  it('is refused with another secret', async () => {
    const { repository, started, outcomes } = await configure('guess', 'another secret');
    await repository.push('main', { 'settings.yaml': 'pool: 8\n' });
    await expect.poll(outcomes, WITHIN).toEqual(['push bad-signature']);
    expect(started()).toEqual([]);
  });

  it('is refused at the address of another repository', async () => {
    const repository = await gitea.createRepository('lost');
    await repository.addWebhook(`${api.server.url}/webhooks/acme/stranger`, SECRET);
    await repository.push('main', { 'settings.yaml': 'pool: 9\n' });
    await expect.poll(() => outcomesOf('stranger'), WITHIN).toEqual(['push wrong-repository']);
  });

  /** A repository that both sides know, with what the api heard of it. */
  async function configure(name: string, secret = SECRET) {
    const repository: GiteaRepository = await gitea.createRepository(name);
    configured[name] = repositoryOf('gitea', { url: repository.cloneUrl });
    await repository.addWebhook(`${api.server.url}/webhooks/acme/${name}`, secret);
    const started = () => api.started.filter(({ stream }) => stream.repository === name);
    return { repository, started, outcomes: () => outcomesOf(name) };
  }

  function outcomesOf(name: string): string[] {
    return api
      .lines()
      .filter(({ repository }) => repository === name)
      .map(({ event, outcome }) => `${String(event)} ${String(outcome)}`);
  }
});
