import { describe, expect, it } from 'vitest';
import { gitlab } from '../../../api/webhook/gitlab.ts';
import { fixture, GITLAB_SIGNING_TOKEN as TOKEN, standardWebhook } from '../signed-delivery.ts';

const nowMs = Date.parse('2026-11-24T12:00:00Z');
const sent = (timestampMs = nowMs) => standardWebhook('Push Hook', fixture('gitlab-push-branch'), TOKEN, timestampMs, 'msg_1');

describe('a GitLab webhook with a signing token', () => {
  it('is accepted with the right signature', () => {
    expect(gitlab.verify(sent().headers, sent().body, TOKEN, nowMs)).toBe(true);
  });

  it('is accepted when any signature of the list is right, as while a token is rotated', () => {
    const { headers, body } = sent();
    const listed = { ...headers, 'webhook-signature': `v1,${Buffer.alloc(32).toString('base64')} v1a,xyz ${headers['webhook-signature']}` };
    expect(gitlab.verify(listed, body, TOKEN, nowMs)).toBe(true);
  });

  it.each([
    ['an id that was not signed', { 'webhook-id': 'msg_2' }],
    ['a timestamp that was not signed', { 'webhook-timestamp': String(nowMs / 1000 + 1) }],
    ['a timestamp that is no number', { 'webhook-timestamp': 'now' }],
    ['another version of signature', { 'webhook-signature': 'v2,abc' }],
    ['no signature', { 'webhook-signature': '' }],
  ])('is refused with %s', (_what, changed) => {
    const { headers, body } = sent();
    expect(gitlab.verify({ ...headers, ...changed }, body, TOKEN, nowMs)).toBe(false);
  });

  it.each([
    [-301_000, false],
    [-299_000, true],
    [299_000, true],
    [301_000, false],
  ])('that was signed %i ms from now is accepted: %s', (offsetMs, accepted) => {
    const { headers, body } = sent(nowMs + offsetMs);
    expect(gitlab.verify(headers, body, TOKEN, nowMs)).toBe(accepted);
  });

  it('is not accepted on the word of X-Gitlab-Token', () => {
    const { body } = sent();
    expect(gitlab.verify({ 'x-gitlab-token': TOKEN }, body, TOKEN, nowMs)).toBe(false);
  });

  it('is told apart by webhook-id, then by Idempotency-Key, and never by the id that retries do not repeat', () => {
    expect(gitlab.deliveryId({ 'webhook-id': 'a', 'idempotency-key': 'b' })).toBe('a');
    expect(gitlab.deliveryId({ 'idempotency-key': 'b' })).toBe('b');
    expect(gitlab.deliveryId({ 'x-gitlab-webhook-uuid': 'c' })).toBeNull();
  });
});
