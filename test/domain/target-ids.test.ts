import { expect, it } from 'vitest';
import type { Tenant } from '../../domain/bundle.ts';
import { targetIdProblem } from '../../domain/target-ids.ts';

const tenant = {
  rules: { settings: { to: [{}, {}], drift: { mode: 'heal' } }, flags: { to: [{}], drift: { mode: 'off' } } },
} as unknown as Tenant;

it('takes the targets that a tenant may have, whatever their environment', () => {
  for (const id of ['settings/production/0', 'settings/pr-42/1']) expect(targetIdProblem(tenant, id), id).toBeUndefined();
});

it.each([
  ['settings', /is no target; write rule\/environment\/destination/],
  ['settings/production/x', /is no target/],
  ['settings/production/01', /is no target/],
  ['settings/production/2', /rule settings has 2 destinations, counted from 0/],
  ['other/production/0', /there is no rule other; there are settings, flags/],
  ['constructor/production/0', /there is no rule constructor/],
  ['flags/production/0', /rule flags says drift: off/],
])('refuses %s and says why', (id, why) => {
  expect(targetIdProblem(tenant, id)).toMatch(why);
});
