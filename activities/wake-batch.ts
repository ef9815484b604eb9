/** Collects what happened at the same time into one signal, and keeps it until it got through. */
export interface WakeBatch {
  add(id: string): void;
}

export interface WakeBatchOptions {
  readonly send: (ids: readonly string[]) => Promise<void>;
  readonly signal: AbortSignal;
  readonly firstRetryMs?: number;
}

const WINDOW_MS = 20;
/** Of one signal, which is a payload in a history. */
const MAX_IDS = 500;
const LONGEST_RETRY_MS = 30_000;

export function createWakeBatch({ send, signal, firstRetryMs = 1_000 }: WakeBatchOptions): WakeBatch {
  const waiting = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let sending = false;
  let failures = 0;
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });

  function sendIn(ms: number): void {
    if (sending || signal.aborted) return;
    timer ??= setTimeout(() => void flush(), ms).unref();
  }

  async function flush(): Promise<void> {
    timer = undefined;
    sending = true;
    const ids = [...waiting].slice(0, MAX_IDS);
    for (const id of ids) waiting.delete(id);
    try {
      await send(ids);
      failures = 0;
    } catch {
      for (const id of ids) waiting.add(id);
      failures++;
    }
    sending = false;
    if (waiting.size > 0) sendIn(failures === 0 ? WINDOW_MS : Math.min(firstRetryMs * 2 ** (failures - 1), LONGEST_RETRY_MS));
  }

  return {
    add(id) {
      waiting.add(id);
      sendIn(WINDOW_MS);
    },
  };
}
