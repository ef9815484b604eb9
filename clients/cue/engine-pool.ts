import { startEngine, type Engine, type EngineOutcome } from './engine.ts';
import { CueUnavailable } from './errors.ts';

/** Hands requests to engines: fair between groups, in order within one. */
export interface EnginePool {
  /** Calls `work` with an engine of its own; what the abort of `signal` interrupts is thrown away. Rejects with the signal's reason, or {@link CueUnavailable}. */
  use<Result>(turn: Turn, signal: AbortSignal, work: (engine: PooledEngine) => Promise<Result>): Promise<Result>;
  warm(): Promise<void>;
  close(): Promise<void>;
}

export interface Turn {
  /** Who waits in one line: lines take turns, however long they are. */
  readonly group: string;
  /** Id of the schema; an engine that has it is preferred. */
  readonly schema: string;
}

/** What a request sees of its engine. */
export interface PooledEngine {
  /** Ids of the schemas that were sent to it. */
  readonly schemas: Set<string>;
  /** Requests that it answered before this one. */
  readonly served: number;
  run(request: string): Promise<EngineOutcome>;
}

interface Slot {
  engine: Engine;
  schemas: Set<string>;
}

interface Job {
  readonly schema: string;
  readonly start: (slot: Slot) => void;
  readonly fail: (error: unknown) => void;
}

interface PoolOptions {
  readonly engines: number;
  readonly maxQueue: number;
  readonly timeoutMs: number;
}

export function createEnginePool({ engines, maxQueue, timeoutMs }: PoolOptions): EnginePool {
  /** Map keeps the order in which the groups take turns. */
  const queues = new Map<string, Job[]>();
  const idle: Slot[] = [];
  const all = new Set<Slot>();
  let queued = 0;
  let starting = 0;
  let closed = false;
  let grown: Promise<void> | undefined;

  function next(): Job | undefined {
    for (const [group, jobs] of queues) {
      const job = jobs.shift();
      queues.delete(group);
      if (jobs.length > 0) queues.set(group, jobs); // to the end: it is the others' turn
      if (job) {
        queued--;
        return job;
      }
    }
    return undefined;
  }

  function dispatch(): void {
    for (const slot of idle.filter(({ engine }) => !engine.usable)) {
      idle.splice(idle.indexOf(slot), 1); // died while it was collecting garbage
      all.delete(slot);
    }
    while (idle.length > 0 && queued > 0) {
      const job = next();
      const slot = job && takeIdle(job.schema);
      if (slot) job.start(slot);
    }
    if (queued > starting && all.size + starting < engines) growAside();
  }

  /** Rather an engine that has the schema compiled. */
  function takeIdle(schema: string): Slot | undefined {
    const index = idle.findIndex((slot) => slot.schemas.has(schema));
    return index >= 0 ? idle.splice(index, 1)[0] : idle.pop();
  }

  /** Starts an engine and puts it to work. */
  async function grow(): Promise<void> {
    starting++;
    try {
      const engine = await startEngine();
      if (closed) return await engine.stop();
      const slot: Slot = { engine, schemas: new Set() };
      all.add(slot);
      idle.push(slot);
    } catch (error) {
      const reason = unavailable('the CUE engine does not start', error);
      if (all.size === 0 && starting === 1) failAll(reason); // with no engine left nobody would ever serve those who wait
      throw reason;
    } finally {
      starting--;
    }
    dispatch();
  }

  function growAside(): void {
    grown = grow();
    grown.catch(() => {}); // those who wait were told
  }

  function failAll(reason: CueUnavailable): void {
    for (let job = next(); job; job = next()) job.fail(reason);
  }

  function release(slot: Slot): void {
    if (slot.engine.usable) idle.push(slot);
    else if (all.delete(slot) && !closed) growAside(); // so that the next request need not wait for it
    dispatch();
  }

  return {
    use({ group, schema }, signal, work) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        if (closed) return reject(unavailable('the CUE engine is closed'));
        if (queued >= maxQueue) return reject(unavailable(`${queued} validations are waiting already`));
        let running: Slot | undefined;
        const onAbort = (): void => {
          if (running) void running.engine.stop();
          else remove(group, job);
          reject(signal.reason);
        };
        const job: Job = {
          schema,
          start(slot) {
            running = slot;
            work({ schemas: slot.schemas, served: slot.engine.served, run: (request) => slot.engine.run(request, timeoutMs) })
              .then(resolve, reject)
              .finally(() => {
                signal.removeEventListener('abort', onAbort);
                release(slot);
              });
          },
          fail(error) {
            signal.removeEventListener('abort', onAbort);
            reject(error);
          },
        };
        signal.addEventListener('abort', onAbort, { once: true });
        const jobs = queues.get(group);
        if (jobs) jobs.push(job);
        else queues.set(group, [job]);
        queued++;
        dispatch();
      });
    },
    async warm() {
      if (closed) throw unavailable('the CUE engine is closed');
      if (all.size === 0 && starting === 0) growAside();
      await grown;
    },
    async close() {
      closed = true;
      failAll(unavailable('the CUE engine is closed'));
      await Promise.all([...all].map((slot) => slot.engine.stop()));
      all.clear();
      idle.length = 0;
    },
  };

  function remove(group: string, job: Job): void {
    const jobs = queues.get(group);
    const index = jobs?.indexOf(job) ?? -1;
    if (!jobs || index < 0) return;
    jobs.splice(index, 1);
    if (jobs.length === 0) queues.delete(group);
    queued--;
  }
}

function unavailable(message: string, cause?: unknown): CueUnavailable {
  return new CueUnavailable(message, { cause });
}
