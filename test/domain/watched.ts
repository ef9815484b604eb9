import type { WatchedTarget } from '../../domain/drift.ts';
import type { DriftWatchState } from '../../workflows/messages.ts';

/** A watch that knows of nothing, but for what a test says. */
export function watchState(changes: Partial<DriftWatchState> = {}): DriftWatchState {
  return {
    tenant: 'acme',
    pause: null,
    freeze: null,
    status: 'InSync',
    targets: [],
    moreTargets: 0,
    streams: [],
    checkedAt: '2026-11-24T06:00:00.000Z',
    nextCheckAt: '2026-11-24T06:01:00.000Z',
    problem: null,
    pollProblems: [],
    ...changes,
  };
}

export function watchedTarget(changes: Partial<WatchedTarget> = {}): WatchedTarget {
  return {
    id: 'settings/production/0',
    rule: 'settings',
    environment: 'production',
    sink: 'cache',
    kind: 'redis',
    place: 'acme:production',
    repository: 'config',
    stream: 'main',
    event: { kind: 'branch', name: 'main' },
    mode: 'heal',
    status: 'InSync',
    commit: '3f2a91c07b5d3f2a91c07b5d3f2a91c07b5d3f2a',
    ...changes,
  };
}
