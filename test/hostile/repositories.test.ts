import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseBundle } from '../../clients/bundle.ts';
import { sinkDefinitions } from '../../sinks/registry.ts';
import { describeWith } from '../servers/describe-with.ts';
import { openHostileStack, type HostileStack } from './hostile-stack.ts';

const run = promisify(execFile);
const GOOD = { 'settings.json': '{"a": 1}' };

describeWith(['temporal', 'redis'], 'a hostile repository', () => {
  let stack: HostileStack;
  let bare: string;
  beforeAll(async () => {
    stack = await openHostileStack({
      rules: `
  settings:
    from: { repository: config, files: [ "settings.json" ] }
    environments: { branches: { "hostile/*": "{branch}", "-x": dash }, tags: { "v*": tagged } }
    schema: none
    to: [ { sink: cache, place: "app:{env}" }, { sink: files, place: "{dir}/files/{env}.json", format: json } ]
  many:
    from: { repository: config, files: [ "many/**" ] }
    environments: { branches: { many: many } }
    schema: none
    to: [ { sink: cache, place: "many" } ]
  trunk:
    from: { repository: config, files: [ "envs/{env}/app.json" ] }
    environments: { paths: trunk }
    schema: none
    to: [ { sink: cache, place: "trunk:{env}" } ]`,
    });
    bare = join(stack.directory, 'repository.git');
  });
  afterAll(() => stack?.close());

  async function git(...args: readonly string[]): Promise<string> {
    const identity = ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com'];
    return (await run('git', ['-C', bare, ...identity, ...args], { maxBuffer: 1 << 28 })).stdout.trim();
  }

  /** Gives git's plumbing raw bytes, for names that no work tree could hold. */
  async function fed(input: Uint8Array | string, ...args: readonly string[]): Promise<string> {
    const child = spawn('git', ['-C', bare, '-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(input);
    let output = '';
    for await (const chunk of child.stdout) output += String(chunk);
    return output.trim();
  }

  const blob = (content: Uint8Array | string): Promise<string> => fed(content, 'hash-object', '-w', '--stdin');

  /** A branch whose tree has exactly these entries: `mode type object<TAB>name`. */
  async function branch(name: string, entries: readonly (readonly [mode: string, object: string, path: string | Uint8Array])[]): Promise<string> {
    const type = (mode: string): string => (mode === '160000' ? 'commit' : mode === '40000' ? 'tree' : 'blob');
    const lines = entries.map(([mode, object, path]) =>
      Buffer.concat([Buffer.from(`${mode} ${type(mode)} ${object}\t`), Buffer.from(path), Buffer.from('\0')]),
    );
    const tree = await fed(Buffer.concat(lines), 'mktree', '-z', '--missing');
    const commit = await git('commit-tree', '-m', 'hostile', tree);
    await git('update-ref', `refs/heads/${name}`, commit);
    return commit;
  }

  async function delivered(name: string, commit: string, ref = `refs/heads/${name}`, stream = name) {
    const delivery = randomUUID();
    const before = await stack.written();
    const answer = await stack.post({ ref, commit }, { delivery });
    expect(answer.status).toBe(202);
    const outcome = await stack.outcomeOf(stream, delivery);
    return { outcome, said: outcome.problems.join('\n') || outcome.summary, unchanged: async () => expect(await stack.written()).toEqual(before) };
  }

  it.each([
    ['a symbolic link to a file of the machine', '120000', '/etc/passwd', /settings\.json:1:1: it is a symbolic link, which is not followed/],
    ['a symbolic link out of the repository', '120000', '../../../../etc/passwd', /settings\.json:1:1: it is a symbolic link/],
    ['a file over the limit', '100644', ' '.repeat(5 * 1024 ** 2), /settings\.json:1:1: it has 5242880 bytes, more than the limit/],
    [
      'an LFS pointer',
      '100644',
      'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n',
      /settings\.json:1:1: it is a Git LFS pointer/,
    ],
  ])('whose file is %s is refused', async (_what, mode, content, problem) => {
    const { outcome, said, unchanged } = await delivered('hostile/file', await branch('hostile/file', [[mode, await blob(content), 'settings.json']]));
    expect(said).toMatch(problem);
    expect(outcome.status).toBe('Rejected');
    await unchanged();
  });

  it('with a submodule, or a directory, in the way of the file is refused', async () => {
    const submodule = await delivered('hostile/module', await branch('hostile/module', [['160000', 'f'.repeat(40), 'settings.json']]));
    expect(submodule.said).toMatch(/settings\.json:1:1: it is a submodule/);
    const inner = await fed(`100644 blob ${await blob('{}')}\ta\0`, 'mktree', '-z');
    const directory = await delivered('hostile/directory', await branch('hostile/directory', [['40000', inner, 'settings.json']]));
    expect(directory.said).toMatch(/settings\.json/);
    expect([submodule.outcome.status, directory.outcome.status]).toEqual(['Rejected', 'Rejected']);
    await directory.unchanged();
  });

  it('whose commit changes the type of a file is refused until it is a file again', async () => {
    const good = await blob('{"a": 1}');
    await delivered('hostile/type', await branch('hostile/type', [['100644', good, 'settings.json']]));
    const { said, unchanged } = await delivered('hostile/type', await branch('hostile/type', [['120000', good, 'settings.json']]));
    expect(said).toMatch(/symbolic link/);
    await unchanged();
    const again = await delivered('hostile/type', await branch('hostile/type', [['100755', await blob('{"a": 2}'), 'settings.json']]));
    expect(again.outcome.status).toBe('Synced');
    expect(await stack.redis.hget('app:hostile-type', 'a')).toBe('2');
  });

  it('with names of every kind beside and below what is read is read all the same', async () => {
    const content = await blob('{"a": 7}');
    const names = [
      'new\nline.json',
      '"quoted".json',
      "it's.json",
      '-x.json',
      '--upload-pack=x',
      '$(id).json',
      'é.json',
      'e\u0301.json',
      'CON',
      'a\\b',
      '*',
      '?',
      '[a]',
      ' ',
      '\t',
      '..x',
      ':(top)x',
    ];
    const odd = [...names.map((name) => Buffer.from(name)), Buffer.from([0xff, 0xfe, 0x2e]), Buffer.from([0xc3])];
    const entries = odd.map((name) => ['100644', content, name] as const);
    const { outcome } = await delivered('hostile/names', await branch('hostile/names', [...entries, ['100644', content, 'settings.json']]));
    expect(outcome).toMatchObject({ status: 'Synced', problems: [] });
    expect(await stack.redis.hgetall('app:hostile-names')).toEqual({ a: '7' });

    const below = await Promise.all(
      odd.map(async (name, index) => ['100644', await blob(`{"k${index}": ${index}}`), Buffer.concat([name, Buffer.from('.json')])] as const),
    );
    const lines = below.map(([mode, object, name]) => Buffer.concat([Buffer.from(`${mode} blob ${object}\t`), name, Buffer.from('\0')]));
    const tree = await fed(Buffer.concat(lines), 'mktree', '-z');
    const all = await delivered('many', await branch('many', [['40000', tree, 'many']]));
    expect(all.outcome).toMatchObject({ status: 'Synced', problems: [] });
    expect(Object.keys(await stack.redis.hgetall('many'))).toHaveLength(odd.length);
  });

  it.each(['..', '.', '.git', '.GIT', 'git~1', '.git\u200c'])('with an entry called %j, which git would not take, is refused for good', async (name) => {
    const object = await blob('{"a": 666}');
    const inner = await fed(`100644 blob ${object}\tsettings.json\0`, 'mktree', '-z');
    const raw = [Buffer.from(`40000 ${name}\0`), Buffer.from(inner, 'hex'), Buffer.from('100644 settings.json\0'), Buffer.from(object, 'hex')];
    const tree = await fed(Buffer.concat(raw), 'hash-object', '-t', 'tree', '-w', '--literally', '--stdin');
    await git('update-ref', 'refs/heads/hostile/tree', await git('commit-tree', '-m', name, tree));
    const { outcome, said, unchanged } = await delivered('hostile/tree', await git('rev-parse', 'refs/heads/hostile/tree'));
    expect(said).toMatch(/cannot fetch refs\/heads\/hostile\/tree of .*: object [0-9a-f]{40}: has[A-Z]\w+: .*rewrite that commit/);
    expect(outcome.status).toBe('Rejected');
    await unchanged();
  });

  it('with names of branches that mean something to a shell or to git writes to places of slugs only', async () => {
    const object = await blob('{"a": 3}');
    for (const name of [
      'hostile/$(touch${IFS}x)',
      'hostile/`id`',
      'hostile/;rm',
      "hostile/'x'",
      'hostile/"y"',
      'hostile/|cat',
      'hostile/&',
      'hostile/--upload-pack',
      '-x',
    ]) {
      const { outcome } = await delivered(name, await branch(name, [['100644', object, 'settings.json']]));
      expect([name, outcome.status, outcome.problems.length > 0]).toEqual([
        name,
        outcome.status === 'Synced' ? 'Synced' : 'Rejected',
        outcome.status !== 'Synced',
      ]);
      for (const target of outcome.targets) expect(target.place).toMatch(/^(app:|.*\/files\/)[a-z0-9-]+(\.json)?$/);
    }
    expect(await stack.redis.hgetall('app:dash')).toEqual({ a: '3' });
  });

  it('whose tag leads to a file is nothing to do, and whose tag of a tag of a tag leads to its commit', async () => {
    await git('update-ref', 'refs/tags/v-blob', await blob('x'));
    const none = await delivered('v-blob', '0'.repeat(39) + '1', 'refs/tags/v-blob', 'tags:v*');
    expect(none.said).toMatch(/refs\/tags\/v-blob.*it is not a commit; a tag must lead to one/);
    await none.unchanged();
    const commit = await branch('hostile/tagged', [['100644', await blob('{"a": 4}'), 'settings.json']]);
    await git('tag', '-a', '-m', 'x', 'inner', commit);
    await git('tag', '-a', '-m', 'x', 'middle', 'inner');
    await git('tag', '-a', '-m', 'x', 'v1', 'middle');
    const { outcome } = await delivered('v1', commit, 'refs/tags/v1', 'tags:v*');
    expect(outcome).toMatchObject({ status: 'Synced', commit });
  });

  it('whose branch has no files, is gone, or never was says so', async () => {
    const empty = await delivered('hostile/empty', await branch('hostile/empty', []));
    expect(empty.outcome.status).toBe('Rejected');
    expect(empty.said).toMatch(/rule settings: the commit has no file settings\.json/);
    const gone = await delivered('hostile/gone', 'f'.repeat(40));
    expect(gone.said).toMatch(/refs\/heads\/hostile\/gone/);
    await gone.unchanged();
  });

  it('with 50,000 files that all count is read within its limits, and so is one with 1,000 branches', async () => {
    const count = 50_000;
    const stream = [
      ...Array.from({ length: count }, (_, n) => `blob\nmark :${n + 1}\ndata <<E\n{"k${n}": ${n}}\nE\n`),
      'commit refs/heads/many\ncommitter A <a@example.org> 1 +0000\ndata 1\nx\n',
      ...Array.from({ length: count }, (_, n) => `M 100644 :${n + 1} many/${n % 100}/f${n}.json\n`),
    ].join('');
    await fed(stream, 'fast-import', '--quiet', '--force');
    const commit = await git('rev-parse', 'refs/heads/many');
    await fed(Array.from({ length: 1_000 }, (_, n) => `create refs/heads/other/${n} ${commit}\n`).join(''), 'update-ref', '--stdin');
    const start = performance.now();
    const { outcome } = await delivered('many', commit);
    expect(outcome.problems).toEqual([]);
    expect(outcome.status).toBe('Synced');
    expect(await stack.redis.hlen('many')).toBe(count);
    expect(performance.now() - start).toBeLessThan(60_000);
  }, 90_000);

  it('with thousands of environments is refused before anything is read of them', async () => {
    const blobs = ['blob\nmark :1\ndata 7\n{"a":1}\n', 'commit refs/heads/trunk\ncommitter A <a@example.org> 1 +0000\ndata 1\nx\n'];
    await fed([...blobs, ...Array.from({ length: 20_000 }, (_, n) => `M 100644 :1 envs/e${n}/app.json\n`)].join(''), 'fast-import', '--quiet', '--force');
    const { outcome, said, unchanged } = await delivered('trunk', await git('rev-parse', 'refs/heads/trunk'));
    expect(said).toMatch(/20000 targets/);
    expect(outcome.status).toBe('Rejected');
    await unchanged();
  }, 90_000);

  it('leaves api and worker as they were', async () => {
    const { outcome } = await delivered('hostile/good', await branch('hostile/good', [['100644', await blob(GOOD['settings.json']), 'settings.json']]));
    expect(outcome.status).toBe('Synced');
    await stack.survived();
  });
});

describe('a path of a bundle', () => {
  it.each(['../x.yaml', '/etc/passwd', 'a/../../x.yaml', 'a//b.yaml', './x.yaml', '-x.yaml', 'a\0.yaml', '.git/config', ':(top)x.yaml', 'a\\..\\b.yaml', ''])(
    'that is %j is refused, or is only ever a name in a tree',
    (path) => {
      const text = JSON.stringify({
        apiVersion: 'vartrack.dev/v1',
        tenants: {
          t: {
            repositories: { config: { provider: 'generic', url: 'https://h/a.git' } },
            sinks: { cache: { kind: 'redis', url: 'redis://h' } },
            rules: {
              r: {
                from: { repository: 'config', files: [path] },
                environments: { branches: { main: 'p' } },
                schema: 'none',
                to: [{ sink: 'cache', place: 'x' }],
              },
            },
          },
        },
      });
      const { problems } = parseBundle(text, 'b', sinkDefinitions);
      const leadsOut = path === '' || path.startsWith('/') || path.split('/').includes('..');
      if (leadsOut) expect(problems.map(({ key }) => key)).toEqual([expect.stringMatching(/^tenants\.t\.rules\.r\.from\.files/) as string]);
      for (const { origin } of problems) expect(origin?.column).toBeGreaterThan(0);
    },
  );
});
