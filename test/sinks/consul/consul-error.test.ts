import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { connectionError, refusalError } from '../../../sinks/consul/consul-error.ts';

const rolledBack = (...what: readonly string[]) => JSON.stringify({ Results: null, Errors: what.map((What, OpIndex) => ({ OpIndex, What })) });

describe('an answer of the server', () => {
  test.each([
    [403, 'ACL not found', 'unauthorized'],
    [403, 'Permission denied: token lacks permission', 'unauthorized'],
    [401, '', 'unauthorized'],
    [409, rolledBack('failed to set key "a", index is stale'), 'conflict'],
    [409, rolledBack('failed to delete key "a", index is stale'), 'conflict'],
    [409, rolledBack('failed index check for key "a", current modify index 20 != 3'), 'conflict'],
    [409, rolledBack('failed to check index, key "a" doesn\'t exist'), 'conflict'],
    [409, rolledBack('key "a" exists'), 'conflict'],
    [409, rolledBack('failed to set key "Permission denied", index is stale'), 'conflict'],
    // With the status of a conflict, which would be tried again and again.
    [409, rolledBack('failed to set key "a", index is stale', 'Permission denied: token lacks permission \'key:write\' on "b"'), 'unauthorized'],
    [409, rolledBack('unknown KV operation: get-or-empty'), 'unsupported'],
    [409, rolledBack('Must provide key'), 'rejected'],
    [409, 'not JSON', 'rejected'],
    [413, 'Request body too large', 'too-large'],
    [429, '', 'throttled'],
    [503, 'rpc error: rate limit reached, try again later', 'throttled'],
    [500, 'No path to datacenter', 'rejected'],
    [400, 'Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature', 'rejected'],
    [500, 'No cluster leader', 'unavailable'],
    [502, '', 'unavailable'],
    [404, '', 'rejected'],
    [301, '', 'rejected'],
  ] as const)('%i %s is %s', (status, text, reason) => {
    expect(refusalError('consul acme/', { status, text, retryAfter: undefined })).toMatchObject({ reason });
  });

  test('says how long it wants to be left alone', () => {
    expect(refusalError('consul acme/', { status: 429, text: '', retryAfter: '3' })).toMatchObject({ reason: 'throttled', retryAfterMs: 3_000 });
  });

  test('is not quoted', () => {
    const error = refusalError('consul acme/', { status: 409, text: rolledBack('failed: secret'), retryAfter: undefined });
    expect(inspect(error, { showHidden: true })).not.toContain('secret');
  });
});

describe('no answer', () => {
  test.each([
    ['ECONNREFUSED', 'unavailable'],
    ['UND_ERR_SOCKET', 'unavailable'],
    ['UND_ERR_HEADERS_TIMEOUT', 'unavailable'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'rejected'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'rejected'],
  ])('with %s is %s', (code, reason) => {
    expect(connectionError('consul acme/', Object.assign(new Error('x'), { code }))).toMatchObject({ reason });
    expect(connectionError('consul acme/', new Error('fetch failed', { cause: Object.assign(new Error('x'), { code }) }))).toMatchObject({ reason });
  });

  test('keeps nothing of the error that could hold the request', () => {
    const error = connectionError('consul acme/', Object.assign(new Error('PUT secret'), { code: 'a secret' }));
    expect(inspect(error, { showHidden: true })).not.toContain('secret');
  });
});
