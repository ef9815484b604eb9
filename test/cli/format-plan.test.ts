import { describe, expect, it } from 'vitest';
import type { PlannedTarget, StreamPlan } from '../../activities/activity-types.ts';
import { formatPlan } from '../../cli/format-plan.ts';
import { showValue } from '../../cli/plan-locally.ts';

const target: PlannedTarget = {
  rule: 'settings',
  environment: 'production',
  sink: 'cache',
  kind: 'redis',
  place: 'acme:production',
  change: 'write',
  keys: [],
  moreKeys: 0,
  messages: [],
};
const plan = (targets: readonly PlannedTarget[], moreTargets = 0): StreamPlan => ({ kind: 'planned', commit: 'a'.repeat(40), targets, moreTargets });

describe('a plan as text', () => {
  it('has a sign for each kind of change', () => {
    const keys: PlannedTarget['keys'] = [
      { key: 'new', change: 'put', before: null, after: '1' },
      { key: 'changed', change: 'put', before: '1', after: '2' },
      { key: 'gone', change: 'delete', before: '3', after: null },
      { key: 'equal', change: 'adopt', before: '4', after: '4' },
      { key: 'theirs', change: 'conflict', before: '5', after: '6' },
    ];
    expect(formatPlan('acme config/main', plan([{ ...target, applied: 'b'.repeat(40), keys, moreKeys: 7 }], 2))).toBe(
      `acme config/main at aaaaaaaaaaaa: 1 target: 1 to write

settings (production) → cache (redis) acme:production: write, now at bbbbbbbbbbbb
  + new: 1
  ~ changed: 1 → 2
  - gone: 3
  = equal: 4
  ! theirs: 5 is there, not 6
  and 7 more keys
and 2 more targets`,
    );
  });

  it('says why a target is held or unknown, and that a write may move only the ledger', () => {
    const text = formatPlan(
      'acme config/main',
      plan([{ ...target, change: 'held', messages: ['too many'] }, { ...target, change: 'unknown', messages: ['no answer'] }, target]),
    );
    expect(text).toContain('3 targets: 1 to write, 1 held, 1 unknown');
    expect(text).toMatch(/held\n {2}too many\n[\s\S]*unknown\n {2}no answer\n[\s\S]*write \(only the ledger moves\)/);
  });

  it('lets no key or value speak to the terminal, and cuts long values', () => {
    const keys: PlannedTarget['keys'] = [{ key: 'a\u001b[2J', change: 'put', before: null, after: `one\ntwo${'x'.repeat(500)}` }];
    const text = formatPlan('acme config/main', plan([{ ...target, keys }]));
    expect(text).toContain('+ a\\u001b[2J: one\\ntwoxxx');
    expect(text).toContain('… (507 characters)');
    expect(text).not.toContain('\u001b');
  });

  it('never shows a secret', () => {
    expect(showValue('@secret(app/db#password)')).toBe('[secret]');
    expect(showValue('postgres://app:@secret(app/db#password)@db')).toBe('[secret]');
    expect(showValue('plain')).toBe('plain');
  });
});
