import { describe, expect, it } from 'vitest';
import { createStreamHeads, noteFetches } from '../../activities/stream-heads.ts';
import type { Git } from '../../clients/git.ts';
import type { Repository } from '../../domain/bundle.ts';

const repository: Repository = { provider: 'generic', url: 'https://git.example.com/a.git', pollMs: null };
const { signal } = new AbortController();

function remote() {
  const state = { asked: 0, now: 0, fails: false, commit: 'a', hold: Promise.resolve() };
  const heads = createStreamHeads(
    {
      async heads() {
        state.asked++;
        await state.hold;
        if (state.fails) throw new Error('the forge is down');
        return new Map([['refs/heads/main', state.commit]]);
      },
    },
    () => state.now,
  );
  const commit = async (maxAgeMs: number, of = repository): Promise<string | undefined> => (await heads.get(of, maxAgeMs, signal)).refs.get('refs/heads/main');
  return { state, heads, commit };
}

describe('the heads of a remote', () => {
  it('are asked for once by all who want to know at the same time, and again by who wants to know of now', async () => {
    const { state, commit } = remote();
    expect(await Promise.all([commit(0), commit(0), commit(60_000)])).toEqual(['a', 'a', 'a']);
    expect(state.asked).toBe(1);
    state.commit = 'b';
    state.now = 1_000;
    expect(await commit(1_000)).toBe('a');
    expect(await commit(999)).toBe('b');
    expect(state.asked).toBe(2);
  });

  it('are the last ones while the remote fails, with the reason, and it is left alone for a while by who can do with them', async () => {
    const { state, heads } = remote();
    await heads.get(repository, 0, signal);
    state.fails = true;
    state.now = 60_000;
    for (let tries = 0; tries < 3; tries++) {
      expect(await heads.get(repository, 1_000, signal)).toMatchObject({ at: 0, problem: 'the forge is down' });
    }
    expect(state.asked).toBe(2);
    expect(await heads.get(repository, 0, signal)).toMatchObject({ at: 0, problem: 'the forge is down' });
    expect(state.asked).toBe(3);
    state.fails = false;
    expect(await heads.get(repository, 0, signal)).toEqual({ refs: expect.any(Map), at: 60_000 });
  });

  it('are not made up where there was never an answer', async () => {
    const { state, heads } = remote();
    state.fails = true;
    await expect(heads.get(repository, 60_000, signal)).rejects.toThrow('the forge is down');
    await expect(heads.get(repository, 60_000, signal)).rejects.toThrow('the forge is down');
  });

  it('are not those that somebody with other credentials may see', async () => {
    const { state, commit } = remote();
    await commit(60_000);
    await commit(60_000, { ...repository, credentials: { token: { env: 'OTHER' } } });
    expect(state.asked).toBe(2);
  });

  it('have what a run has fetched since, without another question', async () => {
    const { state, heads } = remote();
    await heads.get(repository, 60_000, signal);
    const git = noteFetches({ fetch: () => Promise.resolve({ commit: 'new' }) } as unknown as Git, heads);
    await git.fetch(repository, 'refs/heads/release', signal);
    await git.fetch(repository, 'b'.repeat(40), signal);
    const { refs } = await heads.get(repository, 60_000, signal);
    expect(Object.fromEntries(refs)).toMatchObject({ 'refs/heads/main': 'a', 'refs/heads/release': 'new' });
    expect(refs.size).toBe(2);
    expect(state.asked).toBe(1);
  });

  it('are given up by who is stopped, and go on for the others', async () => {
    const { state, heads } = remote();
    let release = (): void => undefined;
    state.hold = new Promise((resolve) => (release = resolve));
    const controller = new AbortController();
    const stopped = heads.get(repository, 0, controller.signal);
    const other = heads.get(repository, 0, signal);
    controller.abort(new Error('stopped'));
    await expect(stopped).rejects.toThrow('stopped');
    release();
    expect((await other).refs.get('refs/heads/main')).toBe('a');
    expect(state.asked).toBe(1);
  });
});
