import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, it } from 'vitest';
import type { ActivityDeps } from '../../activities/deps.ts';
import { requestSync } from '../../activities/request-sync.ts';
import type { Bundle, Repository } from '../../domain/bundle.ts';

const repository = (url: string): Repository => ({ provider: 'generic', url, pollMs: null });

/** A tenant with a rule for each repository, and a forge for each that answers or does not. */
function depsWith(urls: readonly string[], isDown: (url: string) => boolean) {
  const started: string[] = [];
  const rule = (name: string) => ({ from: { repository: name, files: ['a.yaml'] }, environments: { branches: { main: 'production' } } });
  const tenant = {
    repositories: Object.fromEntries(urls.map((url) => [url, repository(url)])),
    rules: Object.fromEntries(urls.map((url) => [`rule-${url}`, rule(url)])),
  };
  const client = {
    withAbortSignal: (_: AbortSignal, act: () => unknown) => act(),
    workflow: {
      signalWithStart: (_: string, { workflowId }: { readonly workflowId: string }) => {
        started.push(workflowId);
        return Promise.resolve({ workflowId, signaledRunId: 'run' });
      },
    },
  };
  const deps = {
    bundle: () => ({ tenants: { acme: tenant } }) as unknown as Bundle,
    client: client as unknown as Client,
    git: {
      heads: ({ url }: Repository) =>
        isDown(url) ? Promise.reject(new Error(`${url} does not answer`)) : Promise.resolve(new Map([['refs/heads/main', 'a'.repeat(40)]])),
    },
    taskQueue: 'queue',
  } as unknown as ActivityDeps;
  return { deps, started };
}

it('starts the streams of all repositories that answer, and fails so that the others are tried again', async () => {
  const { deps, started } = depsWith(['first', 'down', 'last'], (url) => url === 'down');
  await expect(new MockActivityEnvironment().run(() => requestSync(deps, { tenant: 'acme', by: 'ann' }))).rejects.toThrow('down does not answer');
  expect(started).toEqual(['sync/acme/first/main', 'sync/acme/last/main']);
});

it('says how many streams it started, and nothing of a tenant that is gone', async () => {
  const { deps } = depsWith(['first', 'last'], () => false);
  expect(await new MockActivityEnvironment().run(() => requestSync(deps, { tenant: 'acme', by: 'ann' }))).toEqual({ streams: 2 });
  expect(await new MockActivityEnvironment().run(() => requestSync(deps, { tenant: 'gone', by: 'ann' }))).toEqual({ streams: 0 });
});
