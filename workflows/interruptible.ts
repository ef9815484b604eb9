import { CancellationScope, condition } from '@temporalio/workflow';

/**
 * Runs `act` until it is done; once `stop` holds it has `grace` left, then what it still waits for is cancelled (and it ends with that).
 * Costs no event unless it is stopped.
 */
export async function interruptible<T>(act: () => Promise<T>, stop: () => boolean, grace: string): Promise<T> {
  const scope = new CancellationScope();
  let finished = false;
  async function watch(): Promise<void> {
    await condition(() => finished || stop());
    if (finished || (await condition(() => finished, grace))) return;
    scope.cancel();
  }
  const acting = scope.run(act).finally(() => {
    finished = true;
  });
  const [value] = await Promise.all([acting, watch()]);
  return value;
}
