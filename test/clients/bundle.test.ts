import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadBundle, parseBundle } from '../../clients/bundle.ts';
import { formatProblem, InvalidInput } from '../../domain/problem.ts';
import { fakeSinks } from './fake-sinks.ts';

const example = `apiVersion: vartrack.dev/v1
settings: { fingerprintKey: { env: VARTRACK_FINGERPRINT_KEY } }
tenants:
  acme:
    repositories:
      config:
        provider: github
        url: https://github.com/acme/config.git
        credentials: { token: { env: ACME_GIT_TOKEN } }
        webhookSecret: { env: ACME_WEBHOOK_SECRET }
        poll: off
    secretManagers:
      vault: { kind: vault, address: https://vault:8200, auth: { method: approle, roleId: { env: R }, secretId: { env: S } } }
    sinks:
      cache: { kind: redis, url: redis://cache:6379/0, password: { env: P } }
      hosts: { kind: linux, host: web1 }
    rules:
      settings:
        from: { repository: config, files: [settings/base.yaml, "settings/{env}.yaml?", { path: extra.conf, format: ini }] }
        environments:
          branches: { main: production, develop: staging, "release/*": rc }
          tags: { "v*": production }
          pullRequests: "pr-{number}"
        schema: { file: schemas/settings.cue, definition: "#Settings" }
        to:
          - { sink: cache, place: "acme:{env}:settings" }
          - { sink: hosts, place: "/etc/acme/{env}.env", format: json }
        limits: { deletes: "30%" }
        drift: { interval: 500ms, ignore: ["runtime.*"] }
`;

function messages(text: string): string[] {
  return parseBundle(text, 'vartrack.yaml', fakeSinks).problems.map(formatProblem);
}

/** The example with one text replaced by another. */
function altered(...replacements: [from: string, to: string][]): string {
  return replacements.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the example does not hold ${from}`);
    return text.replace(from, to);
  }, example);
}

describe('a bundle that is right', () => {
  test('is parsed with every default filled in', () => {
    const { bundle, problems } = parseBundle(example, 'vartrack.yaml', fakeSinks);
    expect(problems).toEqual([]);
    expect(bundle).toEqual({
      settings: { allowFileRepositories: false, fingerprintKey: { env: 'VARTRACK_FINGERPRINT_KEY' } },
      tenants: {
        acme: {
          repositories: {
            config: {
              provider: 'github',
              url: 'https://github.com/acme/config.git',
              credentials: { token: { env: 'ACME_GIT_TOKEN' } },
              webhookSecret: { env: 'ACME_WEBHOOK_SECRET' },
              pollMs: null,
            },
          },
          secretManagers: {
            vault: {
              kind: 'vault',
              address: 'https://vault:8200',
              mount: 'secret',
              kv: 2,
              requestTimeoutMs: 10_000,
              auth: { method: 'approle', roleId: { env: 'R' }, secretId: { env: 'S' } },
            },
          },
          sinks: {
            cache: { kind: 'redis', options: { url: 'redis://cache:6379/0', password: { env: 'P' }, attempts: 3 } },
            hosts: { kind: 'linux', options: { host: 'web1' } },
          },
          rules: {
            settings: {
              from: {
                repository: 'config',
                files: [
                  { pattern: 'settings/base.yaml', optional: false },
                  { pattern: 'settings/{env}.yaml', optional: true },
                  { pattern: 'extra.conf', optional: false, format: 'ini' },
                ],
                blocks: true,
                lists: 'json',
              },
              environments: {
                branches: { main: 'production', develop: 'staging', 'release/*': 'rc' },
                tags: { 'v*': 'production' },
                pullRequests: 'pr-{number}',
              },
              schema: { file: 'schemas/settings.cue', definition: '#Settings', defaults: false },
              to: [
                { sink: 'cache', place: 'acme:{env}:settings', layout: 'hash', fields: { layout: 'hash' } },
                { sink: 'hosts', place: '/etc/acme/{env}.env', layout: 'json', fields: { layout: 'json' } },
              ],
              prune: true,
              protect: [],
              limits: { deletes: { percent: 30 } },
              onExisting: 'refuse',
              onFailure: 'compensate',
              drift: { mode: 'heal', intervalMs: 500, ignore: ['runtime.*'] },
              timeoutMs: 120_000,
            },
          },
        },
      },
    });
  });

  test('may limit how each sink is used, whatever its kind', () => {
    const limited = (options: string): string => altered(['kind: linux, host: web1', `kind: linux, host: web1, ${options}`]);
    const hostsOf = (options: string) => parseBundle(limited(options), 'vartrack.yaml', fakeSinks).bundle?.tenants['acme']?.sinks['hosts'];
    expect(hostsOf('concurrency: 4, idleTimeout: 5m')).toEqual({ kind: 'linux', options: { host: 'web1' }, concurrency: 4, idleMs: 300_000 });
    expect(hostsOf('idleTimeout: off')).toEqual({ kind: 'linux', options: { host: 'web1' }, idleMs: null });
    expect(messages(limited('concurrency: 0, idleTimeout: 5'))).toEqual([
      expect.stringMatching(/^vartrack\.yaml:16:\d+ tenants\.acme\.sinks\.hosts\.concurrency: /),
      expect.stringMatching(/^vartrack\.yaml:16:\d+ tenants\.acme\.sinks\.hosts\.idleTimeout: write a duration such as 10m, or off$/),
    ]);
  });

  test('may be JSON, and may be almost empty', () => {
    expect(parseBundle('{"apiVersion": "vartrack.dev/v1", "tenants": {}}', 'b.json', fakeSinks)).toEqual({
      bundle: { settings: { allowFileRepositories: false }, tenants: {} },
      problems: [],
    });
  });

  test('may leave defaults to be told: poll, drift, timeout and limits', () => {
    const text = altered(
      ['        poll: off\n', ''],
      ['        limits: { deletes: "30%" }\n', ''],
      ['        drift: { interval: 500ms, ignore: ["runtime.*"] }\n', ''],
    );
    const tenant = parseBundle(text, 'vartrack.yaml', fakeSinks).bundle?.tenants['acme'];
    expect(tenant?.repositories['config']?.pollMs).toBe(60_000);
    expect(tenant?.rules['settings']).toMatchObject({ limits: { deletes: null }, drift: { mode: 'heal', intervalMs: 60_000, ignore: [] } });
  });
});

describe('a bundle that is wrong', () => {
  test('gets all its problems at once, sorted by line, of fields, sinks, destinations and rules', () => {
    const text = altered(
      ['provider: github', 'provider: githbu'],
      ['        poll: off', '        pol: off'],
      ['kind: redis, url', 'kind: redis, ulr'],
      ['format: json', 'formt: json'],
      ['limits: { deletes: "30%" }', 'limits: { deletes: "many" }'],
    ).concat(`      other:
        from: { repository: confg, files: [a.yaml] }
        environments: { branches: { main: production } }
        schema: none
        to: [{ sink: hosts, place: "/etc/{envi}" }]
`);
    expect(messages(text)).toEqual([
      'vartrack.yaml:7:19 tenants.acme.repositories.config.provider: write one of github, gitlab, gitea, forgejo, bitbucket, generic; did you mean "github"?',
      'vartrack.yaml:11:9 tenants.acme.repositories.config.pol: unknown field; did you mean "poll"?',
      'vartrack.yaml:15:7 tenants.acme.sinks.cache.url: is required',
      'vartrack.yaml:15:29 tenants.acme.sinks.cache.ulr: unknown field; did you mean "url"?',
      'vartrack.yaml:27:58 tenants.acme.rules.settings.to.1.formt: unknown field; did you mean "format"?',
      'vartrack.yaml:28:28 tenants.acme.rules.settings.limits.deletes: write a count such as 10, or a share such as 30%',
      'vartrack.yaml:31:29 tenants.acme.rules.other.from.repository: no repository of this name in the tenant; it has: config',
      'vartrack.yaml:34:36 tenants.acme.rules.other.to.0.place: {envi} is not a name to fill in (known here: {tenant} {env} {branch} {tag} {number} {rule}; a literal brace is written {{ or }})',
    ]);
  });

  test.each([
    ['env', 'credentials: { token: hunter2-token }'],
    ['a longer shape', 'credentials: { token: { value: hunter2 } }'],
    ['a number', 'credentials: { token: 4711471147 }'],
    ['a name that is none', 'credentials: { token: { env: "hunter2 secret" } }'],
  ])('is told how to name a credential and never reads it back: %s', (_, line) => {
    const found = messages(altered(['credentials: { token: { env: ACME_GIT_TOKEN } }', line]));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain('9:');
    expect(found[0]).toContain('write { env: NAME }, { file: path } or { vault: "manager:path#field" }');
    expect(found[0]).not.toMatch(/hunter2|4711/);
  });

  test.each([
    ['https://user:hunter2@github.com/a/b.git', 'holds a user name or password'],
    ['https://hunter2@github.com/a/b.git', 'holds a user name or password'],
    ['https://github.com/a/b.git?token=hunter2', 'has a query'],
    ['http://github.com/a/b.git', 'is http'],
    ['ftp://github.com/a/b.git', 'scheme that is not supported'],
    ['ext::sh -c hunter2', 'white space'],
    ['ext::x', 'scheme that is not supported'],
    ['-oProxyCommand=hunter2', 'begins with a dash'],
    ['git@host:-x', 'begins with a dash'],
    ['file:///srv/repository', 'set settings.allowFileRepositories'],
    ['/srv/repository', 'set settings.allowFileRepositories'],
  ])('refuses the repository %s without echoing it', (url, message) => {
    const found = messages(
      altered(['url: https://github.com/acme/config.git', `url: "${url}"`], ['        credentials: { token: { env: ACME_GIT_TOKEN } }\n', '']),
    );
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(message);
    expect(found[0]).toContain('vartrack.yaml:8:14');
    expect(found[0]).not.toContain('hunter2');
  });

  test.each(['ssh://git@host:22/a.git', 'git@github.com:acme/config.git'])('takes the ssh URL %s with a key and known hosts only', (url) => {
    const key = '{ sshKey: { file: id }, knownHosts: { file: known_hosts } }';
    const withUrl: [string, string] = ['url: https://github.com/acme/config.git', `url: ${url}`];
    const credentials = '{ token: { env: ACME_GIT_TOKEN } }';
    expect(messages(altered(withUrl, [credentials, key]))).toEqual([]);
    expect(messages(altered(withUrl, [credentials, '{ sshKey: { file: id } }']))).toEqual([expect.stringContaining('sshKey needs knownHosts')]);
    expect(messages(altered(withUrl))).toEqual([expect.stringContaining('the URL is ssh; write sshKey')]);
    expect(messages(altered([credentials, key]))).toEqual([expect.stringContaining('the URL is http(s); write token')]);
    expect(messages(altered(withUrl, [`        credentials: ${credentials}\n`, '']))).toEqual([expect.stringContaining('needs credentials with sshKey')]);
  });

  test.each(['http://localhost:3000/a.git', 'http://127.0.0.1/a.git', 'http://[::1]:3000/a.git'])('allows http to the loopback host of %s', (url) => {
    expect(messages(altered(['https://github.com/acme/config.git', url]))).toEqual([]);
  });

  test('allows file repositories where the settings do', () => {
    const text = altered(
      ['settings: {', 'settings: { allowFileRepositories: true,'],
      ['https://github.com/acme/config.git', 'file:///srv/config.git'],
      ['        credentials: { token: { env: ACME_GIT_TOKEN } }\n', ''],
    );
    expect(messages(text)).toEqual([]);
  });

  test('needs a fingerprint key as soon as there is a secret manager', () => {
    expect(messages(altered(['settings: { fingerprintKey: { env: VARTRACK_FINGERPRINT_KEY } }\n', '']))).toEqual([
      expect.stringContaining('settings.fingerprintKey: is required because tenant acme has secretManagers'),
    ]);
  });

  test('gives each credential of a secret manager the tenant whose manager it is', () => {
    const { bundle } = parseBundle(
      altered(['{ env: ACME_WEBHOOK_SECRET }', '{ vault: "vault:git#hook" }'], ['password: { env: P }', 'password: { vault: "vault:redis#p" }']),
      'vartrack.yaml',
      fakeSinks,
    );
    expect(bundle?.tenants['acme']?.repositories['config']?.webhookSecret).toEqual({ vault: 'vault:git#hook', tenant: 'acme' });
    expect(bundle?.tenants['acme']?.sinks['cache']?.options).toMatchObject({ password: { vault: 'vault:redis#p', tenant: 'acme' } });
  });

  test('refuses a credential of a secret manager that the tenant does not have, and one that the manager itself needs', () => {
    const found = messages(
      altered(['password: { env: P }', 'password: { vault: "volt:redis#p" }'], ['secretId: { env: S }', 'secretId: { vault: "vault:a#s" }']),
    );
    expect(found).toEqual([
      expect.stringMatching(/^vartrack.yaml:13:\d+ tenants\.acme\.secretManagers\.vault\.auth\.secretId: is held by the manager that it opens/),
      expect.stringMatching(/^vartrack.yaml:15:56 tenants\.acme\.sinks\.cache\.password: names a secret manager that the tenant does not have; it has: vault/),
    ]);
  });

  test.each([
    ['kind: redis', 'kind: rediss', 'unknown kind of sink; known: redis, linux; did you mean "redis"?'],
    ['kind: redis', 'kind: constructor', 'unknown kind of sink; known: redis, linux'],
    ['sink: hosts', 'sink: host', 'no sink of this name in the tenant; it has: cache, hosts; did you mean "hosts"?'],
    ['sink: hosts', 'sink: constructor', 'no sink of this name'],
    ['apiVersion: vartrack.dev/v1', 'apiVersion: v2', 'write vartrack.dev/v1'],
    ['apiVersion: vartrack.dev/v1\n', '', 'apiVersion: is required'],
    ['  acme:', '  Acme_1:', 'a name is made of a-z'],
    ['      settings:', '      constructor:', 'is not "constructor"'],
    ['      settings:', '      __proto__:', 'is not a possible name'],
    ['drift: { interval: 500ms', 'drift: { interval: 5', 'write a duration such as 500ms, 60s, 2m or 1h'],
    ['drift: { interval: 500ms', 'drift: { interval: 0s', 'write a duration'],
    ['        poll: off', '        poll: never', 'write a duration such as 60s, or off'],
    ['schema: { file: schemas/settings.cue, definition: "#Settings" }', 'schema: no', 'or none if the values'],
    ['        schema: { file: schemas/settings.cue, definition: "#Settings" }\n', '', 'schema: '],
    ['deletes: "30%"', 'deletes: "101%"', 'a share such as 30%'],
    ['deletes: "30%"', 'deletes: -1', 'write a count'],
    ['method: approle', 'method: aprole', 'auth.method: write one of token, approle, userpass, kubernetes'],
    ['address: https://vault:8200', 'address: https://u:hunter2@vault:8200', 'without a user or password'],
    ['files: [settings/base.yaml,', 'files: [/etc/passwd,', 'must be relative'],
    ['files: [settings/base.yaml,', 'files: [a/../../b.yaml,', 'must not hold ..'],
    ['files: [settings/base.yaml,', 'files: ["a\\\\b.yaml",', 'must not hold a backslash'],
    ['files: [settings/base.yaml,', 'files: [./a.yaml,', 'can never match'],
    ['files: [settings/base.yaml,', 'files: ["{environment}.yaml",', '{environment} is not a name to fill in (known here: {env}'],
    ['file: schemas/settings.cue', 'file: ../settings.cue', 'must not hold ..'],
    ['main: production', 'main: Production', 'is not a name of an environment'],
    ['main: production', 'main: default', 'choose another'],
    ['main: production', 'main: "x-{tag}"', '{tag} is not a name to fill in (known here: {branch}'],
    ['main: production', 'refs/heads/main: production', 'without refs/heads/'],
    ['main: production', '"a b": production', 'no branch or tag can have such a name'],
    ['pullRequests: "pr-{number}"', 'pullRequests: preview', 'needs {number}'],
    ['pullRequests: "pr-{number}"', 'paths: main', 'is never reached'],
    ['pullRequests: "pr-{number}"', 'paths: "trunk/*"', 'is the name of one branch'],
    ['place: "/etc/acme/{env}.env"', 'place: "etc/{env}"', 'must be an absolute path'],
    [
      'place: "/etc/acme/{env}.env"',
      'place: "/etc/acme/all.env"',
      'is one place for the environments production (branch main) and staging (branch develop); write {env} into it',
    ],
    ['place: "/etc/acme/{env}.env"', 'place: "/etc/acme/{env}-{branch}.env"', 'uses {branch}, which tag v* does not have'],
  ])('%s → %s is refused: %s', (from, to, message) => {
    const found = messages(altered([from, to])).filter((line) => line.includes(message));
    expect(found, messages(altered([from, to])).join('\n')).not.toEqual([]);
    expect(found.join()).not.toContain('hunter2');
    for (const line of found) expect(line).toMatch(/^vartrack\.yaml:\d+:\d+ /);
  });

  test('says which key stands twice, and where first', () => {
    expect(messages(`${example}      settings: {}\n`)).toEqual(['vartrack.yaml:30:7 tenants.acme.rules.settings: stands twice, first in line 18; remove one']);
    expect(messages('a: 1\n"a": 2\n1: x\n"1": y\n')).toHaveLength(2);
  });

  test.each([
    ['', '1:1: write a map, not nothing'],
    ['- a', '1:1: write a map, not a list'],
    ['a: [', 'is not valid YAML'],
    ['a: 1\n---\nb: 2\n', 'one YAML document'],
    ['a: !!binary eA==\nb: !custom x\n', 'is not valid YAML'],
    ['? {a: 1}\n: 2\n', 'a key must be a plain text'],
    ['a: *nowhere', 'vartrack.yaml:1:4'],
    [
      `a: &a [x]\n${Array.from(
        { length: 12 },
        (_, i) =>
          `a${i}: &b${i} [${Array(9)
            .fill(i === 0 ? '*a' : `*b${i - 1}`)
            .join(', ')}]`,
      ).join('\n')}\n`,
      'too many aliases',
    ],
  ])('is no bundle: case %#', (text, message) => {
    const found = messages(text);
    expect(found.join('\n')).toContain(message);
  });

  test('finds what an alias stands for', () => {
    const text = altered(
      ['cache: { kind: redis,', 'cache: &shared { kind: redis,'],
      ['hosts: { kind: linux, host: web1 }', 'hosts: *shared'],
      ['format: json', 'layout: jsn'],
    );
    expect(messages(text)).toEqual([expect.stringContaining('27:66 tenants.acme.rules.settings.to.1.layout: write one of hash, keys')]);
  });
});

describe('the file of a bundle', () => {
  test('is loaded, and refused with every problem', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'bundle-'));
    try {
      const path = join(directory, 'vartrack.yaml');
      await writeFile(path, example);
      expect(Object.keys((await loadBundle(path, fakeSinks)).tenants)).toEqual(['acme']);
      await writeFile(path, altered(['kind: redis', 'kind: x'], ['poll: off', 'poll: x']));
      await expect(loadBundle(path, fakeSinks)).rejects.toSatisfy((error) => error instanceof InvalidInput && error.problems.length === 2);
      await expect(loadBundle(join(directory, 'absent.yaml'), fakeSinks)).rejects.toThrow(/absent\.yaml: the bundle cannot be read \(ENOENT\)/);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('freeze windows', () => {
  const windows = (text: string): string => altered(['    rules:\n', `    freeze: [${text}]\n    rules:\n`]);

  test('are parsed, of a tenant and of a rule', () => {
    const window = '{ from: "0 18 * * FRI", for: 62h, timeZone: Europe/Berlin, reason: weekend }';
    const text = windows(window).replace('        limits:', `        freeze: [${window}]\n        limits:`);
    const { bundle, problems } = parseBundle(text, 'vartrack.yaml', fakeSinks);
    expect(problems).toEqual([]);
    const freeze = [{ from: '0 18 * * FRI', forMs: 62 * 3_600_000, timeZone: 'Europe/Berlin', reason: 'weekend' }];
    expect(bundle?.tenants['acme']).toMatchObject({ freeze, rules: { settings: { freeze } } });
  });

  test('that cannot be read are refused with their place and what to write', () => {
    expect(
      messages(windows('{ from: "18:00", for: 62h, timeZone: Berlin, reason: weekend }, { from: "0 18 * *", for: 1h, timeZone: UTC, reason: night }')),
    ).toEqual([
      expect.stringMatching(/^vartrack\.yaml:17:\d+ tenants\.acme\.freeze\.0\.timeZone: is no time zone; write its IANA name/),
      expect.stringMatching(/^vartrack\.yaml:17:\d+ tenants\.acme\.freeze\.1\.from: write five fields/),
    ]);
    const shape = messages(windows('{ from: "0 18 * * FRI", for: 3 days, timeZone: UTC }'));
    expect(shape.join('\n')).toMatch(/tenants\.acme\.freeze\.0\.for: write a duration such as/);
    expect(shape.join('\n')).toMatch(/tenants\.acme\.freeze\.0.*reason/);
    expect(shape).toHaveLength(2);
  });
});
