import { createHmac, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { requestResults } from '../../clients/sync-result.ts';
import type { RunOutcome } from '../../domain/status.ts';
import { syncWorkflowId } from '../../workflows/messages.ts';
import { createRepository, type TestRepository } from '../product/stack.ts';
import { describeWith } from '../servers/describe-with.ts';
import { openHostileStack, type HostileStack } from './hostile-stack.ts';

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const disjunctions = `x: ${range(22)
  .map((n) => `({a${n}: 1} | {b${n}: 1})`)
  .join(' & ')}`;
const loops = `n: [${range(300).join(', ')}]\nx: [for a in n for b in n for c in n {a}]`;
const doubling = `x0: "${'x'.repeat(1_000)}"\n${range(30)
  .map((n) => `x${n + 1}: x${n} + x${n}`)
  .join('\n')}`;

/** Processor time of one validation is limited to 2 s; the machine may be busy. */
const MAX_MS = 15_000;

describeWith(['temporal', 'redis'], 'a push with a hostile schema', () => {
  let stack: HostileStack;
  let neighbour: string;
  let theirs: TestRepository;
  beforeAll(async () => {
    neighbour = `n-${randomUUID().slice(0, 8)}`;
    stack = await openHostileStack({
      rules: `
  settings:
    from: { repository: config, files: [ "a.json" ] }
    environments: { branches: { main: production, "many/*": "{branch}" } }
    schema: { file: schemas/a.cue }
    to: [ { sink: cache, place: "app:{env}" }, { sink: files, place: "{dir}/files/{env}.json", format: json } ]`,
      neighbours: {
        [neighbour]: `
repositories:
  config: { provider: generic, url: "file://{dir}/theirs.git", webhookSecret: { env: STACK_WEBHOOK_SECRET }, poll: off }
sinks:
  files: { kind: linux, transport: local, root: "{dir}" }
rules:
  settings:
    from: { repository: config, files: [ "a.json" ] }
    environments: { branches: { main: production } }
    schema: { file: a.cue }
    to: [ { sink: files, place: "{dir}/theirs.json", format: json } ]`,
      },
    });
    theirs = await createRepository(join(stack.directory, 'theirs'));
  });
  afterAll(() => stack?.close());

  /** The neighbour's webhook, to what became of it. */
  async function neighbourPushes(count: number): Promise<RunOutcome> {
    const commit = await theirs.commit({ 'a.cue': 'count: int', 'a.json': `{"count": ${count}}` });
    const body = JSON.stringify({ repository: theirs.url, ref: 'refs/heads/main', commit });
    const delivery = randomUUID();
    const signature = createHmac('sha256', 'webhook-secret').update(body).digest('hex');
    const headers = { 'content-type': 'application/json', 'x-signature': `sha256=${signature}`, 'x-delivery': delivery };
    const answer = await fetch(`${stack.api.url}/webhooks/${neighbour}/config`, { method: 'POST', headers, body });
    expect(answer.status).toBe(202);
    const { requests } = await requestResults(stack.temporal.client.workflow.getHandle(syncWorkflowId(neighbour, 'config', 'main')));
    const found = requests.find(({ id }) => id === delivery);
    if (!found) throw new Error('the run says nothing of the request');
    return found.outcome;
  }

  it.each([
    ['multiplies alternatives', { 'schemas/a.cue': disjunctions }, /schemas\/a\.cue:1:1: validation was stopped after 2 s of processor time: simplify/],
    ['loops three deep', { 'schemas/a.cue': loops }, /schemas\/a\.cue:1:1: validation was stopped after 2 s/],
    ['doubles a string', { 'schemas/a.cue': doubling }, /schemas\/a\.cue:1:1: the schema cannot be evaluated, it needs too much memory/],
    ['imports a package that nobody has', { 'schemas/a.cue': 'package a\nimport "example.org/x"\na: x.y' }, /schemas\/a\.cue:2:8/],
    ['imports what would run programs', { 'schemas/a.cue': 'package a\nimport "tool/exec"\na: exec.Run' }, /schemas\/a\.cue:2:8/],
    ['embeds a file of the machine', { 'schemas/a.cue': '@extern(embed)\npackage a\na: _ @embed(file="/etc/passwd", type=text)' }, /schemas\/a\.cue:\d+:\d+/],
    ['is of itself', { 'schemas/a.cue': 'a: b + 1\nb: a + 1' }, /schemas\/a\.cue:\d+:\d+|a: /],
    ['contains itself', { 'schemas/a.cue': '#L: { next: #L }\na: int\nl: #L' }, /schemas\/a\.cue:\d|structural cycle/],
    [
      'has 5 MiB',
      { 'schemas/a.cue': `a: int\n${'// x'.padEnd(99, 'x').concat('\n').repeat(52_000)}` },
      /schemas\/a\.cue:1:1: it has 5\d+ bytes, more than the limit/,
    ],
    [
      'has 8 MiB in two files',
      Object.fromEntries(['a', 'b', 'c'].map((name) => [`schemas/${name}.cue`, `package a\n${'// x\n'.repeat(550_000)}`])),
      /schemas\/a\.cue:1:1: the schema has 3 files of 8\d+ bytes/,
    ],
    ['is YAML', { 'schemas/a.cue': '- a\n- b: {{ x }}\n' }, /schemas\/a\.cue:\d+:\d+/],
    ['is a picture', { 'schemas/a.cue': Uint8Array.from(range(256)) }, /schemas\/a\.cue:\d+:\d+/],
  ])('that %s is refused within its time, and nothing is written', async (_what, files, problem) => {
    const others = Object.fromEntries(['schemas/b.cue', 'schemas/c.cue'].filter((path) => !(path in files)).map((path) => [path, '']));
    const start = performance.now();
    await stack.refused({ 'a.json': '{"a": 1}', ...others, ...files }, problem);
    expect(performance.now() - start).toBeLessThan(MAX_MS);
  });

  it('in many streams at once does not starve a push of another tenant', async () => {
    expect(await neighbourPushes(0)).toMatchObject({ status: 'Synced' });
    const before = await stack.written();
    const hostile = range(4).map(async (n) => {
      const branch = `many/${n}`;
      const commit = await commits(branch, n);
      const delivery = randomUUID();
      expect((await stack.deliver(commit, { branch, delivery })).status).toBe(202);
      return { branch, delivery };
    });
    const started = [];
    for (const each of hostile) started.push(await each);
    const start = performance.now();
    expect(await neighbourPushes(1)).toMatchObject({ status: 'Synced', problems: [] });
    // One round of the hostile ones, not all of them.
    expect(performance.now() - start).toBeLessThan(2 * MAX_MS);
    for (const { branch, delivery } of started) expect(await stack.outcomeOf(branch, delivery)).toMatchObject({ status: 'Rejected' });
    expect(await stack.written()).toEqual(before);
  }, 90_000);

  it('leaves api and worker as they were', async () => {
    expect(await stack.push({ 'schemas/a.cue': 'a: int', 'schemas/b.cue': '', 'schemas/c.cue': '', 'a.json': '{"a": 2}' })).toMatchObject({ status: 'Synced' });
    await stack.survived();
  });

  /** One after the other: they share a work tree. */
  let last: Promise<unknown> = Promise.resolve();
  function commits(branch: string, n: number): Promise<string> {
    const next = last.then(() =>
      stack.repository.commit({ 'a.json': '{"a": 1}', 'schemas/a.cue': `${disjunctions}\n#n: ${n}`, 'schemas/b.cue': '', 'schemas/c.cue': '' }, branch),
    );
    last = next;
    return next;
  }
});
