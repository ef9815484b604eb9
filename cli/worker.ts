import { runWorker } from '../worker/main.ts';
import { unreachable } from './with-temporal.ts';

/** `vartrack worker`; a Temporal server that is not there is told with its address. */
export async function runWorkerProcess(): Promise<void> {
  try {
    await runWorker();
  } catch (error) {
    throw isUnreachable(error) ? unreachable(error) : error;
  }
}

/** Both clients of the SDK, the one in JavaScript and the native one, only say it in words. */
function isUnreachable(error: unknown): boolean {
  return error instanceof Error && (error.name === 'TransportError' || /failed to connect before the deadline/i.test(error.message));
}
