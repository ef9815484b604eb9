import { describe, expect, test } from 'vitest';
import { matchGlob } from '../../clients/glob.ts';
import type { Bundle, Destination, Environments, Rule, SinkConnection, Tenant } from '../../domain/bundle.ts';
import { checkBundle } from '../../domain/bundle-checks.ts';
import { fakeSinks } from '../clients/fake-sinks.ts';

const cache: SinkConnection = { kind: 'redis', options: { url: 'redis://cache' } };
const hosts: SinkConnection = { kind: 'linux', options: { host: 'web1' } };

function at(sink: string, place: string): Destination {
  return { sink, place, layout: 'hash', fields: {} };
}

function rule(environments: Partial<Environments>, ...to: Destination[]): Rule {
  return {
    from: { repository: 'config', files: [{ pattern: 'app.yaml', optional: false }], blocks: true, lists: 'json' },
    environments: { branches: {}, tags: {}, ...environments },
    schema: 'none',
    to,
    prune: true,
    protect: [],
    limits: { deletes: null },
    onExisting: 'refuse',
    onFailure: 'compensate',
    drift: { mode: 'heal', intervalMs: 60_000, ignore: [] },
    timeoutMs: 120_000,
  };
}

function tenant(rules: Record<string, Rule>, sinks: Record<string, SinkConnection> = { cache, hosts }): Tenant {
  return { repositories: { config: { provider: 'generic', url: 'https://host/a.git', pollMs: null } }, secretManagers: {}, sinks, rules };
}

function problems(tenants: Record<string, Tenant>): string[] {
  const bundle: Bundle = { settings: { allowFileRepositories: false }, tenants };
  return checkBundle(bundle, fakeSinks, matchGlob).map(({ key, message }) => `${key}: ${message}`);
}

const main = { branches: { main: 'production' } };

describe('targets with two writers (I11)', () => {
  test('are refused within a tenant, naming both rules', () => {
    const rules = { one: rule(main, at('cache', 'acme:{env}')), two: rule({ tags: { 'v*': 'production' } }, at('cache', '{tenant}:production')) };
    expect(problems({ acme: tenant(rules) })).toEqual([
      'tenants.acme.rules.two.to.0.place: rule one of tenant acme (to[0], sink cache) and rule two of tenant acme (to[0], sink cache) can write the same target (acme:production); a target has one writer: give one of them another place',
    ]);
  });

  test('are refused across tenants and sink names where the connection is equal, whatever the order of its options', () => {
    const a = tenant({ one: rule(main, at('cache', 'x:{env}')) }, { cache: { kind: 'redis', options: { url: 'redis://cache', tls: true } } });
    const b = tenant({ two: rule(main, at('store', 'x:{env}')) }, { store: { kind: 'redis', options: { tls: true, url: 'redis://cache' } } });
    expect(problems({ a, b })).toEqual([expect.stringMatching(/^tenants\.b\.rules\.two\.to\.0\.place: rule one of tenant a .* and rule two of tenant b /)]);
  });

  test('are refused where a key of one can be below the other, whichever comes first', () => {
    const below = (place: string): Destination => ({ ...at('cache', place), layout: 'keys', fields: { below: true } });
    const shared = (one: Destination, two: Destination) => problems({ acme: tenant({ one: rule(main, one), two: rule(main, two) }) });
    for (const found of [shared(below('acme/{env}/'), at('cache', 'acme/{env}/web/x')), shared(at('cache', 'acme/{env}/web/'), below('acme/{env}/'))])
      expect(found).toEqual([expect.stringMatching(/^tenants\.acme\.rules\.two\.to\.0\.place: rule one .* and rule two .* can write the same key/)]);
    expect(shared(at('cache', 'acme/{env}/'), at('cache', 'acme/{env}/web/'))).toEqual([]);
    expect(shared(below('acme/{env}/web/'), at('cache', 'acme/{env}/'))).toEqual([]);
    expect(shared(below('acme/{env}/web/'), at('cache', 'acme/{env}/worker/'))).toEqual([]);
  });

  test('are told apart by another connection, another kind or {tenant}', () => {
    const a = tenant({ one: rule(main, at('cache', 'x:{env}')) });
    const b = tenant({ one: rule(main, at('cache', 'x:{env}')) }, { cache: { kind: 'redis', options: { url: 'redis://other' } } });
    expect(problems({ a, b })).toEqual([]);
    const own = tenant({ one: rule(main, at('cache', '{tenant}:{env}')) });
    expect(problems({ a: own, b: own })).toEqual([]);
  });

  test('are refused where the kind says that two connections lead to one system', () => {
    const on = (host: string): Tenant => tenant({ one: rule(main, at('hosts', '/etc/app.env')) }, { hosts: { kind: 'linux', options: { host, user: host } } });
    expect(problems({ a: on('web1'), b: on('WEB1') })).toHaveLength(1);
    expect(problems({ a: on('web1'), b: on('web2') })).toEqual([]);
  });

  test('are refused within one rule', () => {
    const rules = { one: rule(main, at('cache', 'x:{env}'), at('cache', 'x:production')) };
    expect(problems({ acme: tenant(rules) })).toEqual([expect.stringContaining('(to[0], sink cache) and rule one of tenant acme (to[1], sink cache)')]);
  });

  test('are found by the identity that the kind of sink gives to a place', () => {
    const rules = { one: rule(main, at('hosts', '/etc//{env}.env')), two: rule(main, at('hosts', '/etc/{env}.env')) };
    expect(problems({ acme: tenant(rules) })).toHaveLength(1);
  });

  test('are found where only an event would tell: pull requests, globs and paths', () => {
    const open = rule({ pullRequests: 'pr-{number}' }, at('cache', 'x:{env}'));
    const fixed = (environment: string): Rule => rule({ branches: { main: environment } }, at('cache', 'x:{env}'));
    expect(problems({ acme: tenant({ open, fixed: fixed('pr-7') }) })).toHaveLength(1);
    expect(problems({ acme: tenant({ open, fixed: fixed('pr-x') }) })).toEqual([]);
    const globs = rule({ branches: { 'release/*': 'rel-{branch}' } }, at('cache', 'x:{env}'));
    expect(problems({ acme: tenant({ globs, fixed: fixed('rel-release-1') }) })).toHaveLength(1);
    expect(problems({ acme: tenant({ globs, fixed: fixed('rel-main') }) })).toEqual([]);
    const paths: Rule = { ...rule({ paths: 'main' }, at('cache', 'x:{env}')), from: { ...open.from, files: [{ pattern: '{env}.yaml', optional: false }] } };
    expect(problems({ acme: tenant({ paths, fixed: fixed('anything') }) })).toHaveLength(1);
  });

  test('are told once for each pair of destinations', () => {
    const many = { branches: { a: 'a', b: 'b', 'c/*': 'c' } };
    expect(problems({ acme: tenant({ one: rule(many, at('cache', 'x:{env}')), two: rule(many, at('cache', 'x:{env}')) }) })).toHaveLength(1);
  });

  test('are found among thousands of rules without comparing all with all', () => {
    const rules = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, i) => [
        `r${i}`,
        rule({ branches: { main: 'production' }, pullRequests: 'pr-{number}' }, at('cache', `{rule}:${i}:{env}`)),
      ]),
    );
    const twin = rule({ branches: { main: 'pr-1' } }, at('cache', 'r4000:4000:{env}'));
    const started = performance.now();
    expect(problems({ acme: tenant({ ...rules, twin }) })).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

describe('environments that share a place', () => {
  test.each([
    ['two branches', { branches: { main: 'a', develop: 'b' } }, 'x', 'environments a (branch main) and b (branch develop)'],
    ['a branch and a tag', { branches: { main: 'a' }, tags: { 'v*': 'b' } }, 'x', 'environments a (branch main) and b (tag v*)'],
    ['pull requests', { pullRequests: 'pr-{number}' }, 'x', 'all environments of a pull request (pr-…)'],
    ['a glob that names environments', { branches: { '*': 'e-{branch}' } }, 'x', 'all environments of branch *'],
    ['overlapping globs', { branches: { 'a*': 'a', '*b': 'b' } }, 'x:{branch}', 'environments a (branch a*) and b (branch *b)'],
  ])('are refused: %s', (_, environments, place, message) => {
    const found = problems({ acme: tenant({ one: rule(environments, at('cache', place)) }) });
    expect(found).toEqual([expect.stringContaining(message)]);
  });

  test.each([
    ['one environment by several ways', { branches: { main: 'a', 'release/*': 'a' }, tags: { 'v*': 'a' } }, 'x'],
    ['exact branches told apart by {branch}', { branches: { main: 'a', develop: 'b' } }, 'x:{branch}'],
    ['pull requests told apart by {number}', { pullRequests: 'pr-{number}' }, 'x:{number}'],
    ['globs told apart by their beginning', { branches: { 'a/*': 'a', 'b/*': 'b' } }, 'x:{branch}'],
    ['{env}', { branches: { '*': 'e-{branch}' }, tags: { '*': 't-{tag}' }, pullRequests: 'pr-{number}' }, 'x:{env}'],
  ])('are fine: %s', (_, environments, place) => {
    expect(problems({ acme: tenant({ one: rule(environments, at('cache', place)) }) })).toEqual([]);
  });
});

describe('rules', () => {
  test('must not make up one environment from branches and from tags', () => {
    const one = (tags: Record<string, string>): Rule => rule({ branches: { '*': '{branch}', main: 'production' }, tags }, at('cache', 'x:{env}'));
    expect(problems({ acme: tenant({ one: one({ '*': '{tag}' }) }) })).toEqual([expect.stringContaining('tags.*: can give the same environment as branch *')]);
    expect(problems({ acme: tenant({ one: one({ 'v*': 'production' }) }) })).toEqual([]);
    const apart = rule({ branches: { '*': 'b-{branch}' }, tags: { '*': 't-{tag}' } }, at('cache', 'x:{env}'));
    expect(problems({ acme: tenant({ one: apart }) })).toEqual([]);
  });

  test('must not give a branch the environment of a pull request', () => {
    const mixed = rule({ branches: { main: 'pr-7' }, pullRequests: 'pr-{number}' }, at('cache', 'x:{env}'));
    expect(problems({ acme: tenant({ one: mixed }) })).toEqual([expect.stringContaining('branches.main: is the name of the environment of a pull request')]);
  });

  test('must route something', () => {
    expect(problems({ acme: tenant({ one: rule({}, at('cache', 'x')) }) })).toEqual([expect.stringContaining('environments: routes nothing')]);
  });

  test('that map paths need {env} in a file', () => {
    expect(problems({ acme: tenant({ one: rule({ paths: 'main' }, at('cache', 'x:{env}')) }) })).toEqual([
      expect.stringContaining('needs {env} in at least one entry'),
    ]);
  });

  test('cannot reach paths of a branch that a glob routes', () => {
    const mapped = rule({ branches: { 'm*': 'a' }, paths: 'main' }, at('cache', 'x:{env}'));
    const files = [{ pattern: '{env}.yaml', optional: false }];
    expect(problems({ acme: tenant({ one: { ...mapped, from: { ...mapped.from, files } } }) })).toEqual([expect.stringContaining('by its entry "m*" already')]);
  });

  test('with problems of their own are not searched for shared targets', () => {
    const broken = rule({ branches: { main: '{nope}' } }, at('cache', 'x:{env}'));
    expect(problems({ acme: tenant({ broken, other: rule(main, at('cache', 'x:{env}')) }) })).toEqual([expect.stringContaining('{nope}')]);
  });
});
