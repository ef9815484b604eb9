import { expect, test } from 'vitest';
import { SinkError } from '../../../sinks/errors.ts';
import { helm } from '../../../sinks/helm.ts';

const fields = helm.destination.parse({ chart: { path: '/charts/web' } });
const server = { server: 'https://kubernetes:6443', token: { env: 'T' } };

test.each([
  ['a way to the cluster', {}],
  ['one way only', { ...server, kubeconfig: { file: 'config' } }],
  ['a token for a server', { server: server.server }],
  ['https', { ...server, server: 'http://kubernetes:8080' }],
  ['a history to go back to', { ...server, historyMax: 2 }],
])('the connection needs %s', (_what, options) => {
  expect(helm.options.safeParse(options).success).toBe(false);
  expect(helm.options.safeParse(server).success).toBe(true);
});

test.each([
  ['no chart', {}],
  ['two sources', { chart: { path: '/charts/web', oci: 'oci://r/web', version: '1.0.0' } }],
  ['a range of versions', { chart: { repository: 'https://charts.acme.test', name: 'web', version: '^1.0.0' } }],
  ['no version', { chart: { oci: 'oci://registry.acme.test/web' } }],
  ['a login in the address', { chart: { repository: 'https://me:secret@charts.acme.test', name: 'web', version: '1.0.0' } }],
  ['a relative path', { chart: { path: 'charts/web' } }],
])('a destination with %s is refused', (_what, destination) => {
  expect(helm.destination.safeParse(destination).success).toBe(false);
});

test.each(['web', 'shop/web/x', '/web', 'shop/', 'Shop/web', 'shop/web_1', `shop/${'w'.repeat(54)}`, 'shop/-web', 'shop/a..b', 'shop/web?x=1'])(
  'the place %j is refused',
  (name) => expect(helm.placeProblem(name, fields, helm.options.parse(server))).not.toBeNull(),
);

test.each(['shop/web', 'shop/web-1.2', `shop/${'w'.repeat(53)}`, 'a/b--c'])('the place %j is taken', (name) => {
  expect(helm.placeProblem(name, fields, helm.options.parse(server))).toBeNull();
});

test.each([[9_007_199_254_740_993n], [[1, [9_007_199_254_740_993n]]], [[new Map([['a', -9_007_199_254_740_993n]])]]])(
  'an integer that Helm would change is refused, however deep: %#',
  (value) => {
    const render = () => helm.render({ path: ['limits', 'max'], value }, fields);
    expect(render).toThrow(SinkError);
    expect(render).toThrow(/limits\.max.*write it as text/);
  },
);

test('values above the limit are refused before the write', () => {
  const entry = helm.render({ path: ['a'], value: 'x'.repeat(1024 * 1024) }, fields);
  expect(helm.limitProblem([entry], fields)).toContain('1048576');
});
