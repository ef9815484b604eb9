import { expect, it } from 'vitest';
import type { Tenant } from '../../domain/bundle.ts';
import { idWithoutStream, idWithStream, isMeant, targetIdProblem } from '../../domain/target-ids.ts';

const tenant = {
  rules: { settings: { to: [{}, {}], drift: { mode: 'heal' } }, flags: { to: [{}], drift: { mode: 'off' } } },
} as unknown as Tenant;

it('takes the targets that a tenant may have, whatever their environment', () => {
  for (const id of ['settings/production/0', 'settings/pr-42/1', 'settings/preview/1@feature/a@b', 'settings/preview/0@tags:v*'])
    expect(targetIdProblem(tenant, id), id).toBeUndefined();
});

it.each([
  ['settings', /is no target; write rule\/environment\/destination/],
  ['settings/production/x', /is no target/],
  ['settings/production/01', /is no target/],
  ['settings/production/0@', /is no target/],
  ['settings/production@main/0', /is no target/],
  ['settings/production/2@main', /rule settings has 2 destinations/],
  ['settings/production/2', /rule settings has 2 destinations, counted from 0/],
  ['other/production/0', /there is no rule other; there are settings, flags/],
  ['constructor/production/0', /there is no rule constructor/],
  ['flags/production/0', /rule flags says drift: off/],
])('refuses %s and says why', (id, why) => {
  expect(targetIdProblem(tenant, id)).toMatch(why);
});

it('means a target by its id, with or without the stream that feeds it', () => {
  const shared = { id: idWithStream('settings/preview/0', 'feature/a@b'), stream: 'feature/a@b' };
  const single = { id: 'settings/production/0', stream: 'main' };
  expect(idWithoutStream(shared.id)).toBe('settings/preview/0');
  for (const asked of ['settings/preview/0', 'settings/preview/0@feature/a@b']) expect(isMeant(asked, shared), asked).toBe(true);
  for (const asked of ['settings/preview/1', 'settings/preview/0@feature/a', 'settings/preview/0@main']) expect(isMeant(asked, shared), asked).toBe(false);
  for (const asked of ['settings/production/0', 'settings/production/0@main']) expect(isMeant(asked, single), asked).toBe(true);
  expect(isMeant('settings/production/0@other', single)).toBe(false);
});
