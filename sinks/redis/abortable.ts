import { SinkError } from '../errors.ts';

/** Begins work unless the signal is aborted, and stops waiting for it when that happens. Throws SinkError; `label` begins its message. */
export async function abortable<Result>(label: string, work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  const cancelled = (): SinkError => new SinkError('unavailable', `${label}: the call was cancelled, or ran out of time`);
  if (signal.aborted) throw cancelled();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(cancelled());
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
