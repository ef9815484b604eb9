import { randomBytes } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { sinkDefinitions } from '../../sinks/registry.ts';
import { SinkError } from '../../sinks/errors.ts';
import type { Place, SinkContext, SinkDefinition } from '../../sinks/sink.ts';
import { environmentOf, vartrack } from '../cli/vartrack.ts';
import { describeWith } from '../servers/describe-with.ts';
import { CONFIG_REPOSITORY, openStack, type Stack } from './stack.ts';

/** Two of ten sinks, with a fifth of the destinations, hang; the worker has room for fewer activities than these alone. */
const SINKS = Array.from({ length: 10 }, (_, index) => `${index < 2 ? 'hung' : 'well'}${index}`);
const EACH = 5;
const ROOM = 8;
const PROMPTLY = { timeout: 60_000, interval: 100 };

describeWith('temporal', 'sinks that hang', () => {
  let stack: Stack;
  afterEach(() => stack?.close());

  it('hold up nobody else: neither the other destinations of the same push nor the next push, and status names them', { timeout: 150_000 }, async () => {
    const hung = sinksThatHang();
    // What status tells of failures has to be told through the encryption too.
    const codecKey = randomBytes(32).toString('base64');
    stack = await openStack({ definitions: { ...sinkDefinitions, linux: hung.definition }, codecKey, maxActivities: ROOM, tenant: TENANT });
    await Promise.all(SINKS.map((name) => mkdir(join(stack.directory, 'files', name))));
    await stack.deliver(await stack.repository.commit({ 'all.yaml': 'name: first\n', 'other.yaml': 'name: first\n' }), { delivery: 'everything' });

    // None of the calls that hang has come to an end until here: nobody waited for one.
    await expect.poll(() => written('production'), PROMPTLY).toBe((SINKS.length - 2) * EACH);
    expect(await stack.push({ 'other.yaml': 'name: second\n' }, 'other')).toMatchObject({ status: 'Synced' });
    expect(hung.calls()).toBe(4);

    hung.giveUp();
    const env = { ...environmentOf(stack), VARTRACK_CODEC_KEY: codecKey };
    const status = async (): Promise<string> => (await vartrack(['status', stack.tenant], env)).stdout;
    await expect
      .poll(status, PROMPTLY)
      .toMatch(
        /config\/main: .*applyTarget is tried again: rule all: hung0: tenant \S+, sink hung0: circuit open: no answer since \S+Z, .*: no answer in time/,
      );

    hung.answer();
    expect(await stack.outcomeOf('main', 'everything')).toMatchObject({ status: 'Synced', summary: '50 of 50 targets written and read back' });
    expect(await written('production')).toBe(SINKS.length * EACH);
  });

  async function written(environment: string): Promise<number> {
    const entries = await readdir(join(stack.directory, 'files'), { recursive: true });
    return entries.filter((name) => new RegExp(`/${environment}-\\d+\\.env$`).test(name)).length;
  }
});

/** Files of this machine. Those below a folder called `hung…` are read once, by a run's first look; then they hang, fail and answer as the test says. */
function sinksThatHang() {
  const linux = sinkDefinitions.linux as SinkDefinition;
  const gaveUp = new AbortController();
  const looked = new Set<string>();
  let state: 'hangs' | 'fails' | 'answers' = 'hangs';
  let calls = 0;

  async function pass<T>({ name }: Place, { signal }: SinkContext, act: () => Promise<T>): Promise<T> {
    const isFirstLook = name.includes('/hung') && !looked.has(name) && looked.add(name).size > 0;
    if (state === 'answers' || !name.includes('/hung') || isFirstLook) return act();
    calls++;
    if (state === 'hangs') await aborted(AbortSignal.any([signal, gaveUp.signal]));
    throw new SinkError('unavailable', 'no answer in time');
  }

  const definition: SinkDefinition = {
    ...linux,
    async connect(options, resolve) {
      const sink = await linux.connect(options, resolve);
      return {
        read: (place, context) => pass(place, context, () => sink.read(place, context)),
        apply: (place, plan, context) => pass(place, context, () => sink.apply(place, plan, context)),
        restore: (place, generation, context) => pass(place, context, () => sink.restore(place, generation, context)),
        close: () => sink.close(),
      };
    },
  };
  return {
    definition,
    calls: () => calls,
    giveUp() {
      state = 'fails';
      gaveUp.abort();
    },
    answer: () => void (state = 'answers'),
  };
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

const TENANT = `${CONFIG_REPOSITORY}
sinks:
${SINKS.map((name) => `  ${name}: { kind: linux, transport: local, root: "{dir}/files/${name}", concurrency: 2 }`).join('\n')}
rules:
  all:
    from: { repository: config, files: [ "all.yaml" ] }
    environments: { branches: { main: production } }
    schema: none
    onFailure: continue
    to:
${SINKS.flatMap((name) => Array.from({ length: EACH }, (_, n) => `      - { sink: ${name}, place: "{dir}/files/${name}/{env}-${n}.env" }`)).join('\n')}
  other:
    from: { repository: config, files: [ "other.yaml" ] }
    environments: { branches: { other: staging } }
    schema: none
    to: [ { sink: well9, place: "{dir}/files/well9/{env}.env" } ]
`;
