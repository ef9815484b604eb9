import { setTimeout as delay } from 'node:timers/promises';
import type { WatchAnswer } from '../clients/drift-watch.ts';
import { driftChanges } from './drift-changes.ts';
import { explainError } from './explain-error.ts';
import { formatAnswers, jsonOf, readDriftWatches, watchedTenants, type DriftOptions } from './drift.ts';
import { explainTemporalError, lacksKey, withTemporal } from './with-temporal.ts';

const READ_INTERVAL_MS = 1_000;
const CLEAR_SCREEN = '\u001b[H\u001b[2J\u001b[3J';

/** `vartrack drift --watch`: goes on until Ctrl-C. A terminal is drawn anew, anything else gets a line for each change (with `--json` a document a line). */
export async function watchDrift(tenant: string | undefined, options: DriftOptions & { readonly json?: boolean }): Promise<void> {
  const { codecKey, tenants } = await watchedTenants(tenant, options.bundle);
  const ending = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => ending.abort());
  await withTemporal(codecKey, async (temporal) => {
    const show = createView(options);
    while (!ending.signal.aborted) {
      await readDriftWatches(temporal, tenants).then(show.answers, show.failure);
      await delay(READ_INTERVAL_MS, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  });
}

function createView({ all = false, json = false }: DriftOptions & { readonly json?: boolean }): {
  readonly answers: (answers: readonly WatchAnswer[]) => void;
  readonly failure: (error: unknown) => void;
} {
  const known = new Map<string, WatchAnswer>();
  let failing: string | undefined;
  const write = (text: string): void => void process.stdout.write(text);

  return {
    answers(answers) {
      failing = undefined;
      if (process.stdout.isTTY && !json)
        return write(`${CLEAR_SCREEN}${formatAnswers(answers, { all })}\n\nread ${new Date().toISOString()}; Ctrl-C ends it\n`);
      for (const answer of answers) {
        const lines = driftChanges(known.get(answer.tenant), answer);
        const isNew = !known.has(answer.tenant);
        known.set(answer.tenant, answer);
        if (json && (isNew || lines.length > 0)) write(`${JSON.stringify(jsonOf(answer))}\n`);
        if (!json) for (const line of lines) write(`${new Date().toISOString()} ${answer.tenant}: ${line}\n`);
      }
    },
    /** Whoever watches wants to know when it is back; what is told is told once. */
    failure(error) {
      if (lacksKey(error)) throw error;
      const { message } = explainError(explainTemporalError(error));
      if (message !== failing) process.stderr.write(`vartrack: ${message}; trying again\n`);
      failing = message;
    },
  };
}
