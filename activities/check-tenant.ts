import type { TenantCheck } from '../domain/drift.ts';
import type { CheckTenantInput } from './activity-types.ts';
import type { ActivityDeps } from './deps.ts';

/** Reads what is due of a tenant's targets and of the heads of its streams; writes nothing. */
export function checkTenant(deps: ActivityDeps, input: CheckTenantInput): Promise<TenantCheck | { readonly kind: 'gone' }> {
  if (!deps.bundle().tenants[input.tenant]) return Promise.resolve({ kind: 'gone' });
  return Promise.resolve({
    kind: 'checked',
    at: deps.now().toISOString(),
    intervals: [],
    groups: [],
    targets: [],
    pollIntervals: [],
    streams: input.polls.length === 0 ? null : [],
    polled: [],
    moreStreams: 0,
    pollProblems: [],
    freeze: null,
    rotated: [],
    secretVersions: null,
    notifies: false,
  });
}
