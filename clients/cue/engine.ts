import { Worker } from 'node:worker_threads';
import { engineModule } from './engine-module.ts';

/**
 * How a request ended: with a response; stopped when it had its share of processor time; with the death of the engine (out of memory, stack or
 * luck); or unanswered, because it was stopped from outside or the machine gave it no time.
 */
export type EngineOutcome =
  | { readonly kind: 'response'; readonly text: string }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'death'; readonly reason: string }
  | { readonly kind: 'unanswered'; readonly reason: string };

/** One engine in its own thread. It works on one request at a time and is thrown away when one goes wrong. */
export interface Engine {
  /** Requests that it has answered. */
  readonly served: number;
  readonly usable: boolean;
  /** Never rejects. `timeoutMs` is processor time, so that a busy machine does not make a good document bad. Only one request at a time. */
  run(request: string, timeoutMs: number): Promise<EngineOutcome>;
  stop(): Promise<void>;
}

/** Megabytes; carries values and syntax that are nested thousands of levels deep. */
const stackSizeMb = 64;

/** In which an engine that the machine starves gives up, in units of the limit of processor time. */
const patience = 15;

type Message = { readonly response?: string; readonly died?: string; readonly cpuMs: number };

/** Starts an engine; rejects when it cannot start. */
export async function startEngine(): Promise<Engine> {
  const worker = new Worker(new URL('engine-worker.ts', import.meta.url), {
    workerData: { module: await engineModule() },
    resourceLimits: { stackSizeMb },
    env: {},
    execArgv: [],
    name: 'cue',
  });
  let served = 0;
  let usable = true;
  let cpuMs = 0;
  let settle: (outcome: EngineOutcome) => void = () => {};

  const end = (outcome: EngineOutcome): void => {
    usable = false;
    settle(outcome);
    void worker.terminate();
  };
  const stop = async (): Promise<void> => {
    end({ kind: 'unanswered', reason: 'the engine was stopped' });
    await worker.terminate();
  };

  /** Ends the request under way when it has used its time. Thread time is asked for only when as much has passed on the clock. */
  const watch = (timeoutMs: number, signal: AbortSignal): void => {
    const before = cpuMs;
    const check = async (): Promise<void> => {
      const usage = await worker.cpuUsage().catch(() => undefined);
      if (signal.aborted || !usage) return;
      const left = timeoutMs - ((usage.user + usage.system) / 1_000 - before);
      if (left <= 0) end({ kind: 'timeout' });
      else arm(() => void check(), left, signal);
    };
    arm(() => void check(), timeoutMs, signal);
    arm(() => end({ kind: 'unanswered', reason: 'the machine is too busy for the engine' }), timeoutMs * patience, signal);
  };

  const next = (): Promise<EngineOutcome> => new Promise((resolve) => (settle = resolve));

  worker.on('message', (message: Message) => {
    cpuMs = message.cpuMs;
    if (message.died === undefined) settle({ kind: 'response', text: message.response ?? '' });
    else end({ kind: 'death', reason: message.died });
  });
  worker.on('error', (error) => end({ kind: 'death', reason: error.message }));
  worker.on('exit', () => end({ kind: 'death', reason: 'the engine ended' }));
  const greeting = await next(); // the worker says once that it is ready
  if (greeting.kind !== 'response') throw new Error('reason' in greeting ? greeting.reason : greeting.kind);
  worker.unref(); // an idle engine does not keep the process alive

  return {
    get served() {
      return served;
    },
    get usable() {
      return usable;
    },
    async run(request, timeoutMs) {
      if (!usable) return { kind: 'unanswered', reason: 'the engine was stopped' };
      worker.ref();
      const done = new AbortController();
      const answer = next();
      watch(timeoutMs, done.signal);
      worker.postMessage(request);
      const outcome = await answer;
      done.abort();
      if (outcome.kind === 'response') served++;
      if (usable) worker.unref();
      return outcome;
    },
    stop,
  };
}

function arm(action: () => void, delayMs: number, signal: AbortSignal): void {
  const timer = setTimeout(action, delayMs);
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
}
