import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import type { SinkErrorReason } from '../../../sinks/errors.ts';
import { refusalError } from '../../../sinks/configmap/kubernetes-error.ts';

const asked = { label: 'configmap acme/app', verb: 'patch', resource: 'configmaps', namespace: 'acme' };
const secret = 'canary-value';

interface Case {
  readonly status: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: object;
  readonly becomes: SinkErrorReason;
  readonly says: string;
}

const cases: Readonly<Record<string, Case>> = {
  'no permission': { status: 403, reason: 'Forbidden', becomes: 'unauthorized', says: 'may not patch configmaps in the namespace acme' },
  'a quota': { status: 403, message: 'exceeded quota: small', becomes: 'rejected', says: 'quota' },
  'a namespace that goes': { status: 403, details: { causes: [{ reason: 'NamespaceTerminating' }] }, becomes: 'rejected', says: 'is being removed' },
  'a webhook': { status: 400, message: 'admission webhook "policy.acme.dev" denied the request', becomes: 'rejected', says: 'admission webhook' },
  'no namespace': { status: 404, reason: 'NotFound', details: { kind: 'namespaces', name: 'acme' }, becomes: 'rejected', says: 'no namespace acme' },
  'an object that went': { status: 404, reason: 'NotFound', details: { kind: 'configmaps', name: 'app' }, becomes: 'conflict', says: 'removed' },
  'another resource version': { status: 409, reason: 'Conflict', becomes: 'conflict', says: 'since it was read' },
  'a request that is too large': { status: 413, becomes: 'too-large', says: 'split' },
  'data that is too large': { status: 422, details: { causes: [{ reason: 'FieldValueTooLong', field: 'data' }] }, becomes: 'too-large', says: 'split' },
  'a store that takes no more': { status: 500, message: 'etcdserver: request is too large', becomes: 'too-large', says: 'split' },
  'data that became immutable': { status: 422, message: 'field is immutable when `immutable` is set', becomes: 'rejected', says: 'immutable' },
  'a value that is not valid': { status: 422, reason: 'Invalid', message: `Invalid value: "${secret}"`, becomes: 'rejected', says: '422 Invalid' },
  'a reason that is no word': { status: 400, reason: `no ${secret}`, becomes: 'rejected', says: '400' },
};

test.each(Object.entries(cases))(
  '%s is told as what it is, without what the server quotes',
  (_name, { status, reason, message = '', details, becomes, says }) => {
    const error = refusalError(asked, { status, retryAfterMs: undefined, body: { kind: 'Status', reason, message: `${message} ${secret}`, details } });
    expect(error.reason).toBe(becomes);
    expect(error.message).toContain(says);
    expect(error.message).toContain('acme');
    expect(inspect(error)).not.toContain(secret);
  },
);
