/**
 * Begins work unless the signal is aborted, and stops waiting for it when that happens: parts of it may know no signal. Throws what `refuse` gives then.
 */
export async function abortable<Result>(signal: AbortSignal, refuse: () => Error, work: () => Promise<Result>): Promise<Result> {
  if (signal.aborted) throw refuse();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(refuse());
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
