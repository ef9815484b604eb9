import { expect, it } from 'vitest';
import { readMessage } from '../../workflows/drift-messages.ts';

it('reads a pause, with its end as one kind of time', () => {
  expect(readMessage('pause', { by: 'ann', reason: 'r' })).toEqual({ kind: 'pause', pause: { by: 'ann', reason: 'r' } });
  expect(readMessage('pause', { by: 'ann', reason: 'r', until: '2026-01-31T18:00:00+01:00' })).toEqual({
    kind: 'pause',
    pause: { by: 'ann', reason: 'r', until: '2026-01-31T17:00:00.000Z' },
  });
});

it('reads heals and checks of some targets, of all, and of all where the payload was left out', () => {
  expect(readMessage('forceHeal', { by: 'ann', reason: 'r', targets: ['a/b/0'], force: true })).toEqual({
    kind: 'forceHeal',
    forced: { by: 'ann', targets: ['a/b/0'], force: true },
    reason: 'r',
  });
  expect(readMessage('forceHeal', { by: 'ann', force: 'yes' })).toEqual({ kind: 'forceHeal', forced: { by: 'ann' } });
  expect(readMessage('checkNow', { targets: ['a/b/0'] })).toEqual({ kind: 'checkNow', neverPolled: true, targets: ['a/b/0'] });
  for (const payload of [undefined, null, {}]) expect(readMessage('checkNow', payload)).toEqual({ kind: 'checkNow', neverPolled: true });
  expect(readMessage('checkNow', { onReload: true })).toEqual({ kind: 'checkNow', neverPolled: false });
});

it.each([
  ['pause', { by: 'ann' }],
  ['pause', { by: ' ', reason: 'r' }],
  ['pause', { by: 'ann', reason: 'r', until: 'soon' }],
  ['pause', { by: 'ann', reason: 'r', until: 7 }],
  ['pause', 'ann'],
  ['resume', undefined],
  ['resume', ['ann']],
  ['forceHeal', { targets: ['a/b/0'] }],
  ['forceHeal', { by: 'ann', targets: 'a/b/0' }],
  ['checkNow', { targets: [1] }],
  ['checkNow', 'a/b/0'],
  ['checkNow', { targets: Array.from({ length: 1_001 }, () => 'a/b/0') }],
  ['pauze', { by: 'ann', reason: 'r' }],
])('says of %s with %o what is wrong, and does not throw', (name, payload) => {
  const message = readMessage(name, payload);
  expect(message.kind).toBe('invalid');
  expect(message.kind === 'invalid' && message.why).toMatch(new RegExp(`^${name}: .+`));
});
