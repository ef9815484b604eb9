import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createCue, CueUnavailable } from '../../../clients/cue/cue.ts';
import { check, cueUnderTest, problems, yaml } from './cue-under-test.ts';

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const exponential = `x: ${range(22)
  .map((i) => `({a${i}: 1} | {b${i}: 1})`)
  .join(' & ')}`;
const cubic = `n: [${range(300).join(', ')}]\nx: [for a in n for b in n for c in n {a}]`;
const doubling = `x0: "${'x'.repeat(1_000)}"\n${range(30)
  .map((i) => `x${i + 1}: x${i} + x${i}`)
  .join('\n')}`;
const nested = `x: ${'{a: '.repeat(9_000)}1${'}'.repeat(9_000)}`;
const document = yaml('{}\n');

describe('a hostile schema', () => {
  const cue = cueUnderTest({ timeoutMs: 1_000 });

  it.each([
    ['multiplies alternatives', exponential, /stopped after 1 s of processor time: simplify the schema/],
    ['loops three deep', cubic, /stopped after 1 s of processor time: simplify the schema/],
    ['doubles a string', doubling, /needs too much memory/],
    ['nests thousands of levels', nested, /schemas\/settings.cue:1:/],
  ])('that %s is refused within its limits, and the next request is served', async (_what, schema, message) => {
    await cue.warm();
    const start = performance.now();
    expect((await problems(cue, { schema, document })).join('\n')).toMatch(message);
    expect(performance.now() - start).toBeLessThan(20_000);
    expect(await problems(cue, { schema: 'a: 1', document: yaml('a: 1\n') })).toEqual([]);
  });

  it('does not keep others waiting while it runs', async () => {
    const hostile = check(cue, { schema: exponential, document });
    const order: string[] = [];
    const tell = (name: string) => () => order.push(name);
    await Promise.all([hostile.then(tell('hostile')), check(cue, { schema: 'a: 2', document: yaml('a: 2\n') }).then(tell('innocent'))]);
    expect(order).toEqual(['innocent', 'hostile']);
  });
});

describe('many requests', () => {
  it('at once get each its own answer', async () => {
    const cue = cueUnderTest();
    const found = await Promise.all(range(50).map((i) => problems(cue, { schema: `a: <${i % 5}`, document: yaml(`a: ${i}\n`) })));
    expect(found.map(([problem]) => problem?.match(/a: (\d+ exceeds <\d)/)?.[1])).toEqual(
      range(50).map((i) => (i < i % 5 ? undefined : `${i} exceeds <${i % 5}`)),
    );
  });

  it('of one schema wait while another schema has its turn', async () => {
    const cue = cueUnderTest({ spare: 0 });
    const order: string[] = [];
    const ask = async (name: string, schema: string): Promise<void> => {
      await check(cue, { schema, document });
      order.push(name);
    };
    await Promise.all([...range(10).map((i) => ask(`many ${i}`, 'a: *1 | int')), ask('one', 'b: *1 | int')]);
    expect(order.indexOf('one')).toBeLessThanOrEqual(2);
  });

  it('more than may wait are turned away as a failure, not as invalid', async () => {
    const cue = cueUnderTest({ spare: 0, maxQueue: 3 });
    const results = await Promise.allSettled(range(5).map(() => check(cue, { schema: 'a: *1 | int', document })));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect(results.find((result) => result.status === 'rejected')?.reason).toBeInstanceOf(CueUnavailable);
  });

  it('leave the memory of the process flat', async () => {
    const cue = cueUnderTest({ spare: 0 });
    const big = yaml(
      range(200)
        .map((i) => `k${i}: ${i}\n`)
        .join(''),
    );
    const validate = async (count: number): Promise<number> => {
      for (let i = 0; i < count; i++) expect(await problems(cue, { schema: '[string]: int', document: big })).toEqual([]);
      return process.memoryUsage().rss;
    };
    const before = await validate(100);
    const after = await validate(400);
    expect((after - before) / 2 ** 20).toBeLessThan(150);
  });
});

describe('an aborted request', () => {
  const cue = cueUnderTest({ spare: 0, timeoutMs: 60_000 });

  it('is stopped while it runs, and the next one is served', async () => {
    await cue.warm();
    const reason = new Error('superseded');
    const abort = new AbortController();
    const running = check(cue, { schema: exponential, document }, abort.signal);
    const waiting = check(cue, { schema: 'a: 1', document: yaml('a: 1\n') });
    abort.abort(reason);
    await expect(running).rejects.toBe(reason);
    expect(await waiting).toEqual({ ok: true, secrets: [] });
  });

  it('leaves the queue at once', async () => {
    const abort = new AbortController();
    const first = new AbortController();
    const running = check(cue, { schema: exponential, document }, first.signal);
    const waiting = check(cue, { schema: 'a: 1', document }, abort.signal);
    abort.abort(new Error('not needed'));
    await expect(waiting).rejects.toThrow('not needed');
    first.abort(new Error('done'));
    await expect(running).rejects.toThrow('done');
  });

  it('that was aborted before it began never runs', async () => {
    await expect(check(cue, { schema: 'a: 1', document }, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
  });
});

describe('close', () => {
  it('rejects what runs, what waits and what comes later', async () => {
    const cue = createCue({ spare: 0, timeoutMs: 60_000 });
    await cue.warm();
    const requests = [exponential, 'a: 1'].map((schema) => check(cue, { schema, document }));
    const settled = Promise.allSettled(requests);
    await cue.close();
    const results = [...(await settled), ...(await Promise.allSettled([check(cue, { schema: 'a: 1', document })]))];
    for (const result of results) expect(result.status === 'rejected' && result.reason).toBeInstanceOf(CueUnavailable);
  });

  it('is not needed for the process to end', async () => {
    const script = `
      const { createCue } = await import(${JSON.stringify(new URL('../../../clients/cue/cue.ts', import.meta.url).href)});
      const origin = { file: 'a.yaml', line: 1, column: 1 };
      const document = { kind: 'map', entries: new Map(), origin };
      const schema = { files: new Map([['a.cue', 'a: *1 | int']]), file: 'a.cue' };
      console.log((await createCue().validate({ schema, document }, AbortSignal.timeout(20_000))).ok);`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 25_000 });
    expect(stdout).toBe('true\n');
  });
});
