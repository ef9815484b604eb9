import { describe, expect, test } from 'vitest';
import { SinkError } from '../../../sinks/errors.ts';
import { zookeeper } from '../../../sinks/zookeeper.ts';
import { aclOf, formatAcl, parseAcl, unmasked, writersOf } from '../../../sinks/zookeeper/acl.ts';
import { childName, isOwn, ledgerPath, pathsTo, undoPath } from '../../../sinks/zookeeper/znode-names.ts';

const options = (more: Readonly<Record<string, unknown>> = {}) => zookeeper.options.parse({ servers: ['zk1:2181'], ...more });
const tree = zookeeper.destination.parse({});
const document = zookeeper.destination.parse({ layout: 'document' });

describe('options', () => {
  test.each([[['zk1']], [['zk1:2181', '[::1]:2182']]])('take servers %j', (servers) => expect(options({ servers }).servers).toEqual(servers));

  test.each([
    { servers: [] },
    { servers: ['zk1:0'] },
    { servers: ['zk1:70000'] },
    { servers: ['user:password@zk1:2181'] },
    { servers: ['zk1:2181/chroot'] },
    { chroot: 'acme' },
    { chroot: '/acme/' },
    { acl: [] },
    { acl: [{ scheme: 'world', id: 'anyone', permissions: 'rr' }] },
    { acl: [{ scheme: 'world', id: 'anyone', permissions: 'x' }] },
    { acl: [{ scheme: 'auth', permissions: 'cdrwa' }] },
    { auth: 'user:password' },
    { tls: { cert: { env: 'C' } } },
  ])('refuse %j', (more) => expect(zookeeper.options.safeParse({ servers: ['zk1'], ...more }).success).toBe(false));

  test('name one system whatever the order of its servers, and another one below a chroot', () => {
    const name = zookeeper.system(options({ servers: ['zk2', 'ZK1:2181'] }));
    expect(name).toBe('zk1:2181');
    expect(zookeeper.system(options({ servers: ['zk1', 'zk2:2181'], auth: { env: 'A' } }))).toBe(name);
    expect(zookeeper.system(options({ chroot: '/acme' }))).toBe('zk1:2181/acme');
  });
});

describe('places', () => {
  test.each(['/acme', '/acme/production/app.json', '/a b/ü'])('take %j', (name) => expect(zookeeper.placeProblem(name, tree, options())).toBeNull());

  test.each([
    '',
    '/',
    'acme',
    '/acme/',
    '/a//b',
    '/a/../b',
    '/a/.',
    '/zookeeper/config',
    '/a/b.vartrack/c',
    '/a\u0001',
    '/a\ue000',
    '/🚀',
    `/${'x'.repeat(255)}`,
  ])('refuse %j', (name) => expect(zookeeper.placeProblem(name, tree, options())).toEqual(expect.any(String)));

  test('count the chroot', () => {
    expect(zookeeper.placeProblem(`/${'x'.repeat(250)}`, tree, options({ chroot: '/acme/deep' }))).toContain('above the limit of 255');
  });

  test('have their ledger below a tree and beside a document', () => {
    expect([ledgerPath({ name: '/a/b', layout: 'tree' }), undoPath({ name: '/a/b', layout: 'document' })]).toEqual(['/a/b/.vartrack', '/a/b.vartrack/undo']);
    expect(['/a/.vartrack', '/a/b.vartrack/undo', '/a/undo', '/a/vartrack'].map(isOwn)).toEqual([true, true, false, false]);
    expect(pathsTo('/a/b')).toEqual(['/a', '/a/b']);
  });
});

describe('keys', () => {
  test.each([
    ['a/b', 'a%2Fb'],
    ['50%', '50%25'],
    ['tab\t', 'tab%09'],
    ['🚀', '%F0%9F%9A%80'],
    ['schlüssel.鍵', 'schlüssel.鍵'],
  ])('%j is the child %j', (key, name) => expect(childName(key)).toBe(name));

  test.each([
    ['', 'unsupported'],
    ['x.vartrack', 'unsupported'],
    ['.vartrack', 'unsupported'],
    ['x'.repeat(1_025), 'too-large'],
  ])('%j is refused as %s', (key, reason) => {
    const path = key.split('.');
    expect(() => zookeeper.render({ path, value: 'x' }, tree)).toThrow(expect.objectContaining({ constructor: SinkError, reason }));
  });
});

describe('the size of a transaction', () => {
  const entries = (count: number, text: string) => Array.from({ length: count }, (_, index) => zookeeper.render({ path: [`key${index}`], value: text }, tree));

  test('is told before the write: keys, values, and both of them for the undo of the next', () => {
    expect(zookeeper.limitProblem(entries(900, 'x'), tree)).toBeNull();
    expect(zookeeper.limitProblem(entries(5_000, 'x'), tree)).toContain('above the limit of 1000000');
    expect(zookeeper.limitProblem(entries(1, 'x'.repeat(450_000)), tree)).toBeNull();
    expect(zookeeper.limitProblem(entries(1, 'x'.repeat(550_000)), tree)).toContain('above the limit of 1000000');
    expect(zookeeper.limitProblem(entries(1, '"'.repeat(300_000)), tree)).toContain('above the limit of 1000000');
  });

  test('is that of the document where the place is one', () => {
    expect(zookeeper.limitProblem(entries(1, 'x'.repeat(400_000)), document)).toBeNull();
    expect(zookeeper.limitProblem(entries(1, 'x'.repeat(550_000)), document)).toContain('above the limit of 1000000');
  });
});

describe('ACLs', () => {
  const entry = (scheme: string, id: string, permissions: string) => aclOf([{ scheme, id, permissions }]);

  test('are the same after they were written down', () => {
    const acl = aclOf([
      { scheme: 'digest', id: 'a:b=', permissions: 'adcwr' },
      { scheme: 'x509', id: 'CN=with space, O=x', permissions: 'r' },
      { scheme: 'auth', id: '', permissions: 'cd' },
    ]);
    expect(acl.map(({ permissions }) => permissions)).toEqual([31, 1, 12]);
    expect(parseAcl(JSON.parse(JSON.stringify(formatAcl(acl))))).toEqual(acl);
    for (const other of [undefined, [], ['nonsense'], [1], 'r world anyone']) expect(parseAcl(other)).toBeNull();
  });

  test('get their hidden hashes from the configuration, with their own permissions, or are not known', () => {
    const known = entry('digest', 'ops:hash=', 'cdrwa');
    expect(unmasked(entry('digest', 'ops:x', 'r'), known)).toEqual(entry('digest', 'ops:hash=', 'r'));
    expect(unmasked(entry('digest', 'op:x', 'r'), known)).toBeNull();
    expect(unmasked(entry('world', 'anyone', 'r'), [])).toEqual(entry('world', 'anyone', 'r'));
  });

  test('of an undo record have nobody who may only read', () => {
    const [writer, reader] = [entry('auth', '', 'rw'), entry('world', 'anyone', 'r')];
    expect(writersOf([...writer, ...reader])).toEqual(writer);
    expect(writersOf(reader)).toEqual(reader);
  });
});
