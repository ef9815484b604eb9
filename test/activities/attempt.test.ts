import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { attempt, type Attempt } from '../../activities/attempt.ts';
import { SinkError } from '../../sinks/errors.ts';

describe('an attempt that fails', () => {
  it('before it wrote says so', async () => {
    expect(await endOf(() => Promise.reject(new SinkError('unavailable', 'gone')))).toMatchObject({ details: [{ wrote: 'no' }] });
  });

  it('after it began to write says that nobody knows', async () => {
    const act = (own: Attempt): Promise<never> => {
      own.aboutToWrite();
      throw new SinkError('unavailable', 'gone');
    };
    expect(await endOf(act)).toMatchObject({ details: [{ wrote: 'unknown' }] });
  });

  it('with a conflict that changed nothing says that it wrote nothing', async () => {
    const act = (own: Attempt): Promise<never> => {
      own.aboutToWrite();
      own.wroteNothing();
      throw new SinkError('conflict', 'moved');
    };
    expect(await endOf(act)).toMatchObject({ details: [{ wrote: 'no' }] });
  });

  it.each([
    ['that said with its last word that it wrote nothing', { wrote: 'no', ended: true }, 'no'],
    ['that said with its last word that it may have', { wrote: 'unknown', ended: true }, 'unknown'],
    ['that died after a heartbeat, which can have written since', { wrote: 'no', ended: false }, 'unknown'],
    ['that died without a heartbeat', undefined, 'unknown'],
  ])('after an earlier one %s', async (_, heartbeatDetails, wrote) => {
    const end = await endOf(() => Promise.reject(new SinkError('unavailable', 'gone')), { attempt: 2, heartbeatDetails });
    expect(end).toMatchObject({ details: [{ wrote }] });
  });

  it('says its last word as a heartbeat too, which is all that is left of it when the run gives up between two attempts', async () => {
    const env = new MockActivityEnvironment();
    const beats: unknown[] = [];
    env.on('heartbeat', (beat: unknown) => beats.push(beat));
    await env.run(() => attempt('w', () => Promise.reject(new SinkError('unavailable', 'gone')))).catch(() => undefined);
    expect(beats).toEqual([
      { wrote: 'no', ended: false },
      { wrote: 'no', ended: true },
    ]);
  });

  it('hands on what it carried, and what it was handed until it has something of its own', async () => {
    const env = new MockActivityEnvironment({ attempt: 2, heartbeatDetails: { wrote: 'no', ended: false, carried: ['a'] } });
    const beats: unknown[] = [];
    env.on('heartbeat', (beat: unknown) => beats.push(beat));
    const act = (own: Attempt): Promise<never> => {
      expect(own.earlier).toEqual(['a']);
      own.aboutToWrite();
      own.carry(() => ['a', 'b']);
      throw new SinkError('unavailable', 'gone');
    };
    await env.run(() => attempt('w', act)).catch(() => undefined);
    expect(beats).toEqual([
      { wrote: 'unknown', ended: false, carried: ['a'] },
      { wrote: 'unknown', ended: false, carried: ['a'] },
      { wrote: 'unknown', ended: true, carried: ['a', 'b'] },
    ]);
  });

  it('tells no value that it was told to conceal', async () => {
    const act = (own: Attempt): Promise<never> => {
      own.conceal(['hunter2-x']);
      throw new SinkError('rejected', `SET k "hunter2-x" ${Buffer.from('hunter2-x').toString('base64')}`);
    };
    const end = await endOf(act);
    expect(end).toMatchObject({ message: 'rule settings: cache: SET k "[secret]" [secret]' });
    expect(JSON.stringify(end, Object.getOwnPropertyNames(end))).not.toContain('hunter2');
  });

  it('because it was cancelled ends cancelled, whatever the library threw', async () => {
    const env = new MockActivityEnvironment();
    const running = env.run(() =>
      attempt('w', ({ signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('socket closed'))))),
    );
    env.cancel();
    await expect(running).rejects.toBeInstanceOf(CancelledFailure);
  });
});

async function endOf(act: (own: Attempt) => Promise<unknown>, info: Record<string, unknown> = {}): Promise<unknown> {
  const env = new MockActivityEnvironment(info);
  const error = await env
    .run(() => attempt('rule settings: cache', act))
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  expect(error).toBeInstanceOf(ApplicationFailure);
  return error;
}
