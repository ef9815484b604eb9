import { expect, it } from 'vitest';
import type { SyncRequest } from '../../workflows/messages.ts';
import { takeRequests } from '../../workflows/take-requests.ts';

const push = (id: string): SyncRequest => ({ id, trigger: 'push', ref: { kind: 'branch', name: 'main' } });
const heal = (id: string): SyncRequest => ({ ...push(id), trigger: 'heal', only: ['settings/production/0'] });

function taken(inbox: SyncRequest[], seen: readonly string[] = [], owed = false): { readonly taken: string; readonly left: string } {
  const next = takeRequests(inbox, new Set(seen), owed);
  return { taken: next.map(({ id }) => id).join(' '), left: inbox.map(({ id }) => id).join(' ') };
}

it('takes pushes all at once, each id once, and the newest last', () => {
  expect(taken([push('a'), push('b'), push('a'), push('c')], ['b'])).toEqual({ taken: 'a c', left: '' });
});

it('takes the heals along with a push, which stays the newest', () => {
  expect(taken([heal('h1'), push('a'), heal('h2')])).toEqual({ taken: 'h1 h2 a', left: '' });
});

it('takes heals one by one in order, also behind a push that was seen before', () => {
  expect(taken([push('a'), heal('h1'), heal('h2')], ['a'])).toEqual({ taken: 'h1', left: 'h2' });
});

it('takes no heal while an undo is owed, but every push', () => {
  expect(taken([heal('h1')], [], true)).toEqual({ taken: '', left: 'h1' });
  expect(taken([heal('h1'), push('a')], [], true)).toEqual({ taken: 'h1 a', left: '' });
});
