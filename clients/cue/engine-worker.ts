// One CUE engine in one worker thread. The import object is all it can reach: clock, random numbers, stderr. Everything else is refused,
// so that no file, network or environment can be read, whatever a schema says. `node:wasi` is not used: it crashes the process under load.
import { parentPort, workerData } from 'node:worker_threads';

const badDescriptor = 8;
const notSupported = 52;

interface Exports {
  readonly memory: WebAssembly.Memory;
  _initialize(): void;
  cue_alloc(bytes: number): number;
  cue_validate(): number;
  cue_result(): number;
  cue_gc(): void;
}

const { module } = workerData as { module: WebAssembly.Module };
const port = parentPort;
if (!port) throw new Error('engine-worker.ts runs in a worker thread');

let lastWords = '';

const view = (): DataView => new DataView(engine.memory.buffer);
const bytes = (at: number, length: number): Uint8Array => new Uint8Array(engine.memory.buffer, at, length);

const calls: Record<string, (...args: never[]) => number> = {
  sched_yield: () => 0,
  proc_exit(code: number) {
    throw new Error(`the engine exited with ${code}${lastWords && `: ${lastWords}`}`);
  },
  args_get: () => 0,
  args_sizes_get: writeNoStrings,
  environ_get: () => 0,
  environ_sizes_get: writeNoStrings,
  clock_time_get(clock: number, _precision: bigint, result: number) {
    const ms = clock === 0 ? performance.timeOrigin + performance.now() : performance.now();
    view().setBigUint64(result, BigInt(Math.round(ms * 1e6)), true);
    return 0;
  },
  random_get(at: number, length: number) {
    for (let done = 0; done < length; done += 65_536) crypto.getRandomValues(new Uint8Array(engine.memory.buffer, at + done, Math.min(65_536, length - done)));
    return 0;
  },
  fd_write(descriptor: number, vectors: number, count: number, result: number) {
    let written = 0;
    for (let i = 0; i < count; i++) {
      const length = view().getUint32(vectors + 8 * i + 4, true);
      if (descriptor === 2 && lastWords.length < 200)
        lastWords += Buffer.from(bytes(view().getUint32(vectors + 8 * i, true), Math.min(length, 200))).toString();
      written += length;
    }
    view().setUint32(result, written, true);
    return 0;
  },
  poll_oneoff(_subscriptions: number, _events: number, _count: number, result: number) {
    view().setUint32(result, 0, true);
    return 0;
  },
  fd_prestat_get: () => badDescriptor, // no directory is open
  fd_fdstat_get(descriptor: number, result: number) {
    if (descriptor > 2) return badDescriptor;
    bytes(result, 24).fill(0);
    view().setUint8(result, 2); // a character device
    return 0;
  },
  fd_fdstat_set_flags: () => 0,
};

function writeNoStrings(count: number, size: number): number {
  view().setUint32(count, 0, true);
  view().setUint32(size, 0, true);
  return 0;
}

function imports(): WebAssembly.Imports {
  const all: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    (all[from] ??= {})[name] = (from === 'wasi_snapshot_preview1' && calls[name]) || (() => notSupported);
  }
  return all;
}

function validate(request: string): string {
  const encoded = Buffer.from(request);
  bytes(engine.cue_alloc(encoded.length), encoded.length).set(encoded);
  const length = engine.cue_validate();
  return Buffer.from(bytes(engine.cue_result(), length)).toString();
}

/** Processor time of this thread so far. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

const instance = await WebAssembly.instantiate(module, imports());
const engine = instance.exports as unknown as Exports;
engine._initialize();
port.postMessage({ cpuMs: cpuMs() });

port.on('message', (request: string) => {
  let response: string;
  try {
    response = validate(request);
  } catch (error) {
    // A trap or an exit: the heap may be corrupt, so this engine answers no more.
    port.postMessage({ died: error instanceof Error ? error.message.slice(0, 300) : 'trap', cpuMs: cpuMs() });
    port.close();
    return;
  }
  port.postMessage({ response, cpuMs: cpuMs() });
  engine.cue_gc();
});
