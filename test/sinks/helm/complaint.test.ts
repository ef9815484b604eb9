import { expect, test } from 'vitest';
import { complaintOf, type Failure } from '../../../sinks/helm/complaint.ts';
import type { Trouble } from '../../../sinks/helm/gateway.ts';

const failed: Failure = { verb: 'upgrade', code: 1, said: '', ended: null, fenced: false, troubles: [], keys: [], input: '{"host":"hush hush"}' };
const records = '/api/v1/namespaces/shop/secrets';
const trouble = (method: string, path: string, status: number, text = ''): Trouble => ({ method, path, status, text });

test.each<[string, Trouble, string]>([
  ['an unknown user', trouble('GET', '/api', 401), 'unauthorized'],
  ['a user without rights', trouble('POST', records, 403), 'unauthorized'],
  ['a quota', trouble('POST', '/api/v1/namespaces/shop/pods', 403, 'exceeded quota: hush'), 'rejected'],
  ['a webhook', trouble('PATCH', '/apis/apps/v1/namespaces/shop/deployments/web', 400, 'admission webhook "hush" denied'), 'rejected'],
  ['a revision that is there', trouble('POST', records, 409), 'conflict'],
  ['another manager of a field', trouble('PATCH', '/apis/apps/v1/namespaces/shop/deployments/web', 409), 'rejected'],
  ['a record that is too large', trouble('POST', records, 422, 'data: Too long: may not be more than 1048576 bytes'), 'too-large'],
  ['a namespace that is not there', trouble('POST', records, 404), 'rejected'],
  ['an object that is not valid', trouble('POST', '/api/v1/namespaces/shop/configmaps', 422), 'rejected'],
  ['a server that is busy', trouble('GET', '/version', 429), 'throttled'],
  ['a server that fails', trouble('PUT', `${records}/sh.helm.release.v1.web.v3`, 503), 'unavailable'],
  ['a server that does not answer', trouble('POST', records, 0), 'unavailable'],
])('what the API server said tells what went wrong: %s', (_what, each, reason) => {
  const error = complaintOf({ ...failed, troubles: [each], said: 'Error: hush hush' }, 'shop/web');
  expect(error).toMatchObject({ reason });
  expect(error.message).toMatch(/^shop\/web: /);
  expect(error.message).not.toContain('hush');
});

test.each([
  ['Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress', 'conflict'],
  ['Error: INSTALLATION FAILED: cannot reuse a name that is still in use', 'conflict'],
  ["Error: values don't meet the specifications of the schema(s) in the following chart(s): hush", 'rejected'],
  ['Error: context deadline exceeded', 'unavailable'],
  ['Error: no matches for kind "Hush" in version "v1"', 'rejected'],
  ['Error: unknown flag: --labels', 'unsupported'],
  ['Error: something hush that nobody foresaw', 'rejected'],
])('%s is told in our words', (said, reason) => {
  const error = complaintOf({ ...failed, said }, 'shop/web');
  expect(error).toMatchObject({ reason });
  expect(error.message).not.toContain('hush');
});

test('what is refused by the fence is a conflict, whatever else went wrong', () => {
  expect(complaintOf({ ...failed, fenced: true, troubles: [trouble('GET', '/api', 403)] }, 'shop/web')).toMatchObject({ reason: 'conflict' });
});

test('a run that was ended says why', () => {
  expect(complaintOf({ ...failed, ended: 'cancelled' }, 'shop/web')).toMatchObject({ reason: 'unavailable' });
  expect(complaintOf({ ...failed, ended: 'late' }, 'shop/web')).toMatchObject({ reason: 'unavailable' });
});

test('a namespace that is there already and reads that find nothing are no trouble', () => {
  const troubles = [trouble('POST', '/api/v1/namespaces', 409), trouble('GET', '/openapi/v3', 404)];
  expect(complaintOf({ ...failed, troubles, said: 'Error: template: demo/templates/a.yaml:3:9: hush' }, 'shop/web').message).toContain(
    '(demo/templates/a.yaml:3:9)',
  );
});

test('a file of the chart is not named where its name is in the values', () => {
  const error = complaintOf({ ...failed, input: '{"x":"demo/templates/hush"}', said: 'Error: template: demo/templates/hush' }, 'shop/web');
  expect(error.message).not.toContain('hush');
});
