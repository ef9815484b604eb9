import type { RunStatus } from '../domain/status.ts';

/** What every command of `vartrack` ends with; `vartrack --help` and docs/cli.md show this table. */
export const exitCodes = {
  ok: { code: 0, meaning: 'done, or nothing to do' },
  unexpected: { code: 1, meaning: 'wrong usage, or an unexpected error' },
  rejected: { code: 2, meaning: 'the bundle, the commit or the environment is not valid; nothing was written' },
  held: { code: 3, meaning: 'a person has to decide; nothing was written' },
  undone: { code: 4, meaning: 'a sink failed: everything is back as it was, or a part was written as the rule says' },
  failed: { code: 5, meaning: 'it failed, and what is there now has to be looked at' },
  unreachable: { code: 6, meaning: 'Temporal is not reachable' },
  parked: { code: 7, meaning: 'the tenant is paused' },
  changes: { code: 8, meaning: 'plan --detailed-exitcode: there are changes; drift --detailed-exitcode: there is drift' },
} as const;

export type ExitName = keyof typeof exitCodes;

export const EXIT_OF_STATUS = {
  Synced: 'ok',
  Unchanged: 'ok',
  Superseded: 'ok',
  Rejected: 'rejected',
  Held: 'held',
  RolledBack: 'undone',
  Partial: 'undone',
  Failed: 'failed',
  Parked: 'parked',
} as const satisfies Record<RunStatus, ExitName>;

export function exitCodeHelp(): string {
  return ['Exit codes:', ...Object.values(exitCodes).map(({ code, meaning }) => `  ${code}  ${meaning}`)].join('\n');
}
