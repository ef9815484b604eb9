import { describe, expect, test } from 'vitest';
import { configmap } from '../../../sinks/configmap.ts';
import { placeNames } from '../../../sinks/configmap/place-names.ts';
import { entriesOf, failure, type Values } from '../contract/scenario.ts';

const keys = configmap.destination.parse({});
const file = configmap.destination.parse({ layout: 'file', format: 'json' });
const token = { env: 'T' };
const options = configmap.options.parse({ inCluster: true });

describe('a place of a ConfigMap', () => {
  test.each(['acme/app', 'acme/app.settings', 'a/b', `acme/${'x'.repeat(200)}`])('of keys may be %s', (name) => {
    expect(configmap.placeProblem(name, keys, options)).toBeNull();
  });

  test.each(['acme/app/app.yaml', 'acme/app/_x', 'acme/app/.env', 'acme/app/UPPER-1'])('of a document may be %s', (name) => {
    expect(configmap.placeProblem(name, file, options)).toBeNull();
  });

  test.each([
    'app',
    'acme/',
    '/app',
    'acme/app/more',
    'Acme/app',
    'acme/App',
    'acme/-app',
    'acme/app..b',
    'acme/app.vartrack',
    `acme/${'x'.repeat(250)}`,
    'acme/a b',
  ])('of keys may not be %s', (name) => {
    expect(configmap.placeProblem(name, keys, options)).toEqual(expect.any(String));
  });

  test.each(['acme/app', 'acme/app/', 'acme/app/a/b', 'acme/app/..x', 'acme/app/.', 'acme/app/ü', 'acme/app.vartrack/app.yaml'])(
    'of a document may not be %s',
    (name) => {
      expect(configmap.placeProblem(name, file, options)).toEqual(expect.any(String));
    },
  );

  test('has annotations that Kubernetes takes, whatever its data key is called', () => {
    const files = ['app.yaml', '_x', 'x_', 'x'.repeat(253), 'a'];
    const names = files.map((each) => placeNames(`acme/app/${each}`, 'file'));
    for (const each of names.flatMap(({ ledger, undo, digest }) => [ledger, undo, digest]))
      expect(each).toMatch(/^[a-z.]+\/[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?$/);
    expect(new Set(names.map(({ ledger }) => ledger)).size).toBe(files.length);
    expect(new Set(names.map(({ side }) => side.name)).size).toBe(files.length);
  });
});

describe('options', () => {
  test.each([[{ inCluster: true }], [{ kubeconfig: { file: 'k' }, context: 'prod' }], [{ server: 'https://10.0.0.1:6443', token, ca: { file: 'ca.pem' } }]])(
    '%j are taken',
    (given) => {
      expect(configmap.options.safeParse(given).success).toBe(true);
    },
  );

  test.each([
    [{}],
    [{ inCluster: true, kubeconfig: { file: 'k' } }],
    [{ inCluster: false }],
    [{ server: 'https://10.0.0.1:6443' }],
    [{ server: 'http://10.0.0.1:8080', token }],
    [{ server: 'https://user:secret@10.0.0.1', token }],
    [{ server: 'https://10.0.0.1', token: 'secret' }],
    [{ inCluster: true, ca: { file: 'ca.pem' } }],
    [{ inCluster: true, context: 'prod' }],
    [{ kubeconfig: { file: 'k' }, token }],
  ])('%j are refused', (given) => {
    expect(configmap.options.safeParse(given).success).toBe(false);
  });

  test('of one server name one system, whatever the credentials', () => {
    const system = (given: object) => configmap.system(configmap.options.parse(given));
    expect(system({ server: 'https://K8S:6443/', token })).toBe(system({ server: 'https://k8s:6443', token: { env: 'OTHER' } }));
    expect(system({ kubeconfig: { file: 'a' } })).not.toBe(system({ kubeconfig: { file: 'a' }, context: 'b' }));
  });

  test('that say inCluster fail outside of one, saying so', async () => {
    const sink = await configmap.connect(options, async () => '');
    const place = { name: 'acme/app', layout: 'keys', fields: keys };
    const error = await failure(sink.read(place, { signal: AbortSignal.timeout(5_000), keys: [], fingerprint: (text) => text }), 'rejected');
    expect(error.message).toContain('inCluster');
    await sink.close();
  });

  test('with a kubeconfig that cannot be read fail without quoting it', async () => {
    const sink = await configmap.connect(configmap.options.parse({ kubeconfig: { env: 'K' } }), async () => 'token: canary: [');
    const place = { name: 'acme/app', layout: 'keys', fields: keys };
    const error = await failure(sink.read(place, { signal: AbortSignal.timeout(5_000), keys: [], fingerprint: (text) => text }), 'rejected');
    expect(error.message).not.toContain('canary');
    await sink.close();
  });
});

describe('limits', () => {
  const problem = (values: Values, fields = keys) =>
    configmap.limitProblem(
      entriesOf(values).map((entry) => configmap.render(entry, fields)),
      fields,
    );

  test('of data and of annotations are told before anything is read', () => {
    expect(problem({ a: 'x'.repeat(1024 * 1024) })).toBeNull();
    expect(problem({ a: 'x'.repeat(1024 * 1024), b: 'x' })).toContain('1048577 bytes');
    expect(problem({ a: 'x'.repeat(1024 * 1024) }, file)).toContain('above the limit of 1048576');
    const many = Object.fromEntries(Array.from({ length: 8_000 }, (_, index) => [`some.key.${index}`, 1]));
    expect(problem(many)).toContain('annotations');
    expect(problem(many, file)).toContain('annotations');
  });

  test('of one key and one value are told when it is rendered', () => {
    expect(() => configmap.render({ path: ['x'.repeat(254)], value: '' }, keys)).toThrow('253');
    expect(() => configmap.render({ path: ['', 'x'], value: '' }, keys)).not.toThrow();
    expect(() => configmap.render({ path: ['', '', 'x'], value: '' }, keys)).toThrow('data key');
    expect(() => configmap.render({ path: ['a'], value: 'x'.repeat(1024 * 1024 + 1) }, keys)).toThrow('above');
    expect(() => configmap.render({ path: ['a'], value: '\ud800' }, keys)).toThrow('surrogate');
  });
});
