import { describe, expect, test } from 'vitest';
import { matchGlob } from '../../clients/glob.ts';
import type { Environments, Rule } from '../../domain/bundle.ts';
import { InvalidInput } from '../../domain/problem.ts';
import { declaredEnvironments, expandPlace, pathEnvironments, routeRule, streamOf, type RefEvent } from '../../domain/routing.ts';

function rule(environments: Partial<Environments>, place = 'acme:{env}', files: string[] = ['app.yaml']): Rule {
  return {
    from: { repository: 'config', files: files.map((pattern) => ({ pattern, optional: false })), blocks: true, lists: 'json' },
    environments: { branches: {}, tags: {}, ...environments },
    schema: 'none',
    to: [{ sink: 'cache', place, layout: 'hash', fields: {} }],
    prune: true,
    protect: [],
    limits: { deletes: null },
    onExisting: 'refuse',
    onFailure: 'compensate',
    drift: { mode: 'heal', intervalMs: 60_000, ignore: [] },
    timeoutMs: 120_000,
  };
}

function branch(name: string): RefEvent {
  return { kind: 'branch', name };
}

function tag(name: string): RefEvent {
  return { kind: 'tag', name };
}

const settings = rule({
  branches: { main: 'production', develop: 'staging', 'release/*': 'rc', 'release/2.*': 'rc2', '*': 'dev-{branch}' },
  tags: { 'v*': 'production' },
  pullRequests: 'pr-{number}',
});

describe('routing a rule', () => {
  test.each([
    ['main', 'production'],
    ['develop', 'staging'],
    ['release/1.0', 'rc'],
    ['release/2.1', 'rc2'],
    ['fix_It', 'dev-fix-it'],
  ])('sends branch %s to %s: exact first, then the most specific glob', (name, environment) => {
    expect(routeRule('settings', settings, branch(name), matchGlob)).toMatchObject({ kind: 'environment', environment });
  });

  test('does not depend on the order of the globs', () => {
    const a = rule({ branches: { '**': 'any', 'a*': 'first', '*b': 'second' } });
    const b = rule({ branches: { '*b': 'second', 'a*': 'first', '**': 'any' } });
    for (const name of ['ab', 'xb', 'x/y']) expect(routeRule('r', a, branch(name), matchGlob)).toEqual(routeRule('r', b, branch(name), matchGlob));
    expect(routeRule('r', a, branch('ab'), matchGlob)).toMatchObject({ environment: 'first' });
  });

  test('sends a tag by tags only and a pull request by its number only', () => {
    expect(routeRule('settings', settings, tag('v1.2'), matchGlob)).toEqual({ kind: 'environment', environment: 'production', variables: { tag: 'v1-2' } });
    expect(routeRule('settings', settings, tag('main'), matchGlob)).toMatchObject({ kind: 'unrouted' });
    expect(routeRule('settings', settings, { kind: 'pull-request', number: 42, branch: 'main' }, matchGlob)).toEqual({
      kind: 'environment',
      environment: 'pr-42',
      variables: { number: '42' },
    });
  });

  test('says why an event is not routed', () => {
    const only = rule({ branches: { main: 'production' } });
    expect(routeRule('settings', only, branch('x'), matchGlob)).toEqual({
      kind: 'unrouted',
      reason: 'no entry of environments.branches of rule settings matches branch x',
    });
    expect(routeRule('settings', only, { kind: 'pull-request', number: 1 }, matchGlob)).toMatchObject({ kind: 'unrouted' });
  });

  test('refuses a branch whose slug another routed branch has, naming both', () => {
    const route = routeRule('settings', settings, branch('fix_it'), matchGlob, ['main', 'fix_it', 'fix-it']);
    expect(route).toEqual({
      kind: 'refused',
      reason: 'rule settings: branch fix_it and branch fix-it both become environment "dev-fix-it"; rename or delete one of them',
    });
  });

  test('lets branches share a fixed environment whatever their slugs', () => {
    expect(routeRule('settings', settings, branch('release/1'), matchGlob, ['release/1', 'release/1_'])).toMatchObject({ environment: 'rc' });
  });

  test('refuses a slug collision that only the place would show', () => {
    const byBranch = rule({ branches: { '*': 'dev' } }, 'acme:{branch}');
    expect(routeRule('r', byBranch, branch('a_b'), matchGlob, ['a-b'])).toMatchObject({ kind: 'refused' });
  });

  test('refuses a branch that has no slug where one is needed', () => {
    expect(routeRule('settings', settings, branch('ü'), matchGlob)).toMatchObject({ kind: 'refused', reason: expect.stringContaining('rename it') });
    expect(routeRule('settings', settings, branch('x'.repeat(61)), matchGlob)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('longer than 63'),
    });
  });

  test('lets no branch or tag take an environment that the bundle gives to another', () => {
    const open = rule({ branches: { main: 'production', '*': '{branch}', 'x/*': 'b-{branch}' }, tags: { 'rc*': 'rc' }, pullRequests: 'pr-{number}' });
    const reasonOf = (event: RefEvent): string => {
      const route = routeRule('r', open, event, matchGlob, ['main', 'b-x-1', 'x/1']);
      return 'reason' in route ? route.reason : route.kind;
    };
    expect(reasonOf(branch('production'))).toMatch(/which is that of entry "main" of environments\.branches; rename it/);
    expect(reasonOf(branch('rc'))).toMatch(/which is that of entry "rc\*" of environments\.tags/);
    expect(reasonOf(branch('pr_7'))).toMatch(/"pr-7", which is that of a pull request/);
    expect(reasonOf(branch('b-x-1'))).toMatch(/branch b-x-1 and branch x\/1 both become environment "b-x-1"/);
    expect(reasonOf(branch('default'))).toMatch(/reserved/);
    expect(reasonOf(branch('main'))).toBe('environment');
    expect(reasonOf(branch('fine'))).toBe('environment');
    expect(reasonOf({ kind: 'pull-request', number: 7 })).toBe('environment');
  });

  test('never lets a branch that only a glob takes block one that the bundle names', () => {
    const byBranch = rule({ branches: { main: 'production', '*': 'dev' } }, 'acme:{env}:{branch}');
    expect(routeRule('r', byBranch, branch('main'), matchGlob, ['MAIN'])).toMatchObject({ kind: 'environment' });
    expect(routeRule('r', byBranch, branch('MAIN'), matchGlob, ['main'])).toMatchObject({ kind: 'refused' });
  });

  test('asks the tree where the rule maps paths of this branch', () => {
    const mapped = rule({ branches: { develop: 'staging' }, paths: 'main' });
    expect(routeRule('r', mapped, branch('main'), matchGlob)).toEqual({ kind: 'paths', variables: { branch: 'main' } });
    expect(routeRule('r', mapped, branch('other'), matchGlob)).toMatchObject({ kind: 'unrouted' });
  });
});

describe('the stream of an event', () => {
  const rules = { settings, wide: rule({ tags: { 'v1.*': 'one' } }), mapped: rule({ paths: 'trunk/config' }) };

  test('is the branch, the tag pattern or the number', () => {
    expect(streamOf(rules, branch('main'), matchGlob)).toBe('main');
    expect(streamOf(rules, branch('trunk/config'), matchGlob)).toBe('trunk/config');
    expect(streamOf(rules, tag('v2.0'), matchGlob)).toBe('tags:v*');
    expect(streamOf(rules, tag('v1.0'), matchGlob)).toBe('tags:v1.*');
    expect(streamOf(rules, { kind: 'pull-request', number: 42 }, matchGlob)).toBe('pr:42');
  });

  test('is the tag itself where tags name their environments or places, since none of them follows another', () => {
    const named = rule({ tags: { 'v*': '{tag}' } });
    expect(streamOf({ named }, tag('v1'), matchGlob)).toBe('tags:v1');
    expect(streamOf({ placed: rule({ tags: { 'v*': 'production' } }, 'acme:{env}:{tag}') }, tag('v1'), matchGlob)).toBe('tags:v1');
    expect(streamOf({ named, settings }, tag('v2'), matchGlob)).toBe('tags:v2');
  });

  test('is null where no rule routes it', () => {
    expect(streamOf(rules, branch('x/y'), matchGlob)).toBeNull();
    expect(streamOf(rules, tag('x'), matchGlob)).toBeNull();
    expect(streamOf({ r: rule({ branches: { main: 'a' } }) }, { kind: 'pull-request', number: 1 }, matchGlob)).toBeNull();
    expect(streamOf({ r: rule({ branches: { main: 'a' } }) }, branch('constructor'), matchGlob)).toBeNull();
  });
});

describe('environments of a tree', () => {
  test('are the names in the place of {env}', () => {
    const mapped = rule({ paths: 'main' }, 'x:{env}', ['base.yaml', 'envs/{env}/app.yaml', 'envs/{env}/*.toml']);
    const files = ['base.yaml', 'envs/rc/app.yaml', 'envs/qa/x.toml', 'envs/no/readme.md', 'envs/a/b/app.yaml', 'README.md'];
    expect(pathEnvironments(mapped, files, matchGlob)).toEqual(['qa', 'rc']);
  });

  test('leave out files that an entry without {env} names', () => {
    const mapped = rule({ paths: 'main' }, 'x:{env}', ['settings/base.yaml', 'settings/{env}.yaml']);
    expect(pathEnvironments(mapped, ['settings/base.yaml', 'settings/rc.yaml'], matchGlob)).toEqual(['rc']);
  });

  test('take a name that stands twice only where both agree', () => {
    const mapped = rule({ paths: 'main' }, 'x:{env}', ['{env}/{env}.yaml']);
    expect(pathEnvironments(mapped, ['a/a.yaml', 'a/b.yaml'], matchGlob)).toEqual(['a']);
  });

  test('are found at any depth, and none of them is made up by another entry', () => {
    const mapped = rule({ paths: 'main', pullRequests: 'pr-{number}' }, 'x:{env}', ['**/{env}.yaml']);
    expect(pathEnvironments(mapped, ['a.yaml', 'x/y/b.yaml'], matchGlob)).toEqual(['a', 'b']);
    const open = rule({ paths: 'main', branches: { 'x/*': 'b-{branch}' } }, 'x:{env}', ['{env}.yaml']);
    expect(() => pathEnvironments(open, ['a.yaml', 'b-x-1.yaml'], matchGlob)).toThrow(/b-x-1\.yaml/);
    expect(() => pathEnvironments(mapped, ['pr-7.yaml'], matchGlob)).toThrow(/pr-7\.yaml.*is a name that environments/);
  });

  test.each(['Prod', 'default', 'a.b'])('refuse the misnamed %s, naming the file', (name) => {
    const mapped = rule({ paths: 'main' }, 'x:{env}', ['envs/{env}/app.yaml']);
    expect(() => pathEnvironments(mapped, [`envs/${name}/app.yaml`], matchGlob)).toThrow(InvalidInput);
    expect(() => pathEnvironments(mapped, [`envs/${name}/app.yaml`], matchGlob)).toThrow(`envs/${name}/app.yaml`);
  });
});

describe('declared environments', () => {
  test('are those written out, and those found', () => {
    expect(declaredEnvironments(settings, ['pr-42'])).toEqual(new Set(['production', 'staging', 'rc', 'rc2', 'pr-42']));
  });
});

describe('places', () => {
  const destination = { sink: 'cache', place: '/etc/{tenant}/{branch}.env', layout: 'env', fields: {} };

  test('take slugs, so that a branch cannot walk out', () => {
    const route = routeRule('r', rule({ branches: { '**': 'dev' } }, destination.place), branch('a/.b/C'), matchGlob);
    if (route.kind !== 'environment') throw new Error(`expected an environment, got ${route.kind}`);
    expect(expandPlace(destination, { tenant: 'acme', rule: 'r', env: 'dev', ...route.variables })).toBe('/etc/acme/a-b-c.env');
  });

  test('name the variable that the event does not have', () => {
    expect(() => expandPlace(destination, { tenant: 'acme', rule: 'r', env: 'pr-1', number: '1' })).toThrow(/needs \{branch\}/);
  });
});
