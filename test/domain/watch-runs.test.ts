import { expect, it } from 'vitest';
import type { CheckedTarget, StreamNews } from '../../domain/drift.ts';
import { createNumbering, healRuns, streamRuns, type Mending } from '../../domain/watch-runs.ts';

function news(stream: string, more: Partial<StreamNews> = {}): StreamNews {
  return { repository: 'config', stream, event: { kind: 'branch', name: stream }, head: 'a'.repeat(40), state: 'failed', ...more };
}

it('brings a stream to its head, and that of a closed pull request to its end, each with an id of its own', () => {
  const event = { kind: 'pull-request', number: 7 } as const;
  const runs = streamRuns([news('main'), news('pr:7', { event, trigger: 'closed' })], createNumbering(4, 0));
  expect(runs).toEqual([
    {
      repository: 'config',
      stream: 'main',
      request: { id: 'poll/1970-01-01T00:00:00.000Z/5', trigger: 'poll', ref: { kind: 'branch', name: 'main' }, commit: 'a'.repeat(40) },
    },
    {
      repository: 'config',
      stream: 'pr:7',
      request: { id: 'closed/1970-01-01T00:00:00.000Z/6', trigger: 'closed', ref: event, commit: 'a'.repeat(40) },
    },
  ]);
});

it('heals the targets of a stream together, and by itself each that was healed before and is adrift again', () => {
  const target = (destination: number): CheckedTarget => ({
    id: `app/production/${destination}`,
    rule: 'app',
    environment: 'production',
    sink: 'cache',
    kind: 'redis',
    place: `p${destination}`,
    repository: 'config',
    stream: 'main',
    event: { kind: 'branch', name: 'main' },
    mode: 'heal',
    status: 'Drifted',
    remedy: 'heal',
    commit: 'c',
  });
  const since = '2026-03-01T00:00:00.000Z';
  const mendings: Mending[] = [0, 1, 2, 3].map((destination) => ({ target: target(destination), since, ...(destination > 1 && { alone: true }) }));
  expect(healRuns(mendings, createNumbering(0, 0)).map(({ request }) => request.only)).toEqual([
    ['app/production/0', 'app/production/1'],
    ['app/production/2'],
    ['app/production/3'],
  ]);
});
