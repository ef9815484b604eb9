import type { Activities } from './activity-types.ts';
import { applyTarget } from './apply-target.ts';
import { createCheckMemory, type CheckMemory } from './check-memory.ts';
import { checkTenant } from './check-tenant.ts';
import type { ActivityDeps } from './deps.ts';
import { planStream } from './plan-stream.ts';
import { prepare } from './prepare.ts';
import { report } from './report.ts';
import { requestSync } from './request-sync.ts';
import { restoreTarget } from './restore-target.ts';
import { startRuns } from './start-runs.ts';
import { noteFetches } from './stream-heads.ts';

/** The activities as a worker registers them. `memory`: shared with whoever asks the same remotes. */
export function createActivities(given: ActivityDeps, memory: CheckMemory = createCheckMemory(given.git)): Activities {
  const deps = { ...given, git: noteFetches(given.git, memory.heads) };
  return {
    prepare: (input) => prepare(deps, input),
    applyTarget: (input) => applyTarget(deps, input),
    restoreTarget: (input) => restoreTarget(deps, input),
    planStream: (input) => planStream(deps, input),
    requestSync: (input) => requestSync(deps, input),
    report,
    checkTenant: (input) => checkTenant({ ...deps, memory }, input),
    startRuns: (input) => startRuns(deps, input),
  };
}
