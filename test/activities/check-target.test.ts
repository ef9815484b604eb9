import { expect, it } from 'vitest';
import { targetAs, type TargetToCheck } from '../../activities/check-target.ts';

const STREAM = { stream: 'main', event: { kind: 'branch', name: 'main' }, head: 'h', runs: null } as const;
const TARGET = { id: 'r/e/0', rule: 'r', environment: 'e', sink: 's', kind: 'redis', place: { name: 'p' }, policy: { drift: { mode: 'heal' } } };
const ASKED = { target: TARGET, repository: 'config', streams: [STREAM] } as unknown as TargetToCheck;

it('keeps of a long message what is wrong and what to do about it', () => {
  const message = `7 keys with another value: ${'key, '.repeat(100)}; remove what is there`;
  const { message: told = '' } = targetAs(ASKED, STREAM, { status: 'Drifted', message });
  expect(told).toMatch(/^7 keys with another value: key, .*….*; remove what is there$/);
  expect(told.length).toBeLessThanOrEqual(300);
  expect(targetAs(ASKED, STREAM, { status: 'Drifted', message: 'short' }).message).toBe('short');
  expect(targetAs(ASKED, STREAM, { status: 'InSync' })).not.toHaveProperty('message');
});
