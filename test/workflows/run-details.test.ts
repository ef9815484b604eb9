import { expect, test } from 'vitest';
import type { RunOutcome, TargetOutcome } from '../../domain/status.ts';
import type { RequestResult, SyncRequest } from '../../workflows/messages.ts';
import { describeRun, type RunView } from '../../workflows/run-details.ts';

const COMMIT = 'b9f9f00c93c31d13e5942dfe22927caddb1ddf7f';
const REASON = 'rule settings: host: /srv/app.env: the validate command ended with exit code 1; nothing was changed';
const input = { tenant: 'acme', repository: 'config', stream: 'main' };
const request: SyncRequest = { id: 'r1', trigger: 'push', ref: { kind: 'branch', name: 'main' }, commit: COMMIT, by: 'ada' };

test('a run at work tells whose it is, who asked for it, and toward which commit', () => {
  expect(describeRun(input, view({ doing: 'preparing', current: request }))).toBe('**acme** config/main: **preparing**\npush by `ada`, commit `b9f9f00c93c3`');
});

test('a run that was rolled back tells each place and gives the reason once', () => {
  const page = describeRun(
    input,
    view({
      doing: 'RolledBack',
      current: request,
      done: [
        ended({
          status: 'RolledBack',
          summary: `all targets are as before: ${REASON}`,
          problems: [REASON],
          targets: [
            target({ status: 'Restored', message: 'back to its prior values, read back', changes: { puts: 1, deletes: 2, adopted: 0, keys: [] } }),
            target({ sink: 'host', kind: 'linux', place: '/srv/app.env', status: 'Failed', message: REASON }),
          ],
        }),
      ],
    }),
  );
  expect(page.split('\n')).toEqual([
    '**acme** config/main: **RolledBack**',
    '',
    `push by \`ada\`, commit \`${COMMIT}\`: **RolledBack**: all targets are as before: ${REASON}`,
    '',
    '- **Restored** production: cache (redis) `acme:production`, rule settings: 1 put, 2 deleted; back to its prior values, read back',
    '- **Failed** production: host (linux) `/srv/app.env`, rule settings',
  ]);
});

test('each problem of a rejected commit is an item of a list, which Markdown takes only after an empty line', () => {
  const problems = ['rule settings: a.yaml:1:2 x: is `odd`\n', 'rule settings: a.yaml:2:2 y: is odd'];
  const page = describeRun(input, view({ doing: 'Rejected', done: [ended({ status: 'Rejected', summary: 'not valid, nothing was written', problems })] }));
  expect(page).toContain("nothing was written\n\n- `rule settings: a.yaml:1:2 x: is 'odd' `\n- `rule settings: a.yaml:2:2 y: is odd`");
});

test('a page stays small, whatever there is to tell', () => {
  const targets = Array.from({ length: 500 }, (_, index) => target({ place: `place-${index}`, message: 'm'.repeat(300) }));
  const page = describeRun(input, view({ done: [ended({ status: 'Partial', summary: 's', targets })] }));
  expect(Buffer.byteLength(page)).toBeLessThan(20_000);
});

function view(part: Partial<RunView>): RunView {
  return { doing: 'waiting', current: null, waiting: 0, done: [], owed: [], ...part };
}

function ended(outcome: Partial<RunOutcome> & Pick<RunOutcome, 'status' | 'summary'>): RequestResult {
  return { id: 'r1', trigger: 'push', outcome: { commit: COMMIT, targets: [], problems: [], ...outcome } };
}

function target(part: Partial<TargetOutcome>): TargetOutcome {
  return { rule: 'settings', environment: 'production', sink: 'cache', kind: 'redis', place: 'acme:production', status: 'Synced', ...part };
}
