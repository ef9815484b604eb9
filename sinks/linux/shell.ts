export interface ShellRequest {
  readonly script: string;
  /** Header of the script; no value holds a line break. */
  readonly header: Readonly<Record<string, string | number>>;
  /** Raw bytes behind the header. */
  readonly body?: readonly Uint8Array[];
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

export interface ShellResult {
  readonly stdout: Buffer;
  /** Bounded; holds no values. */
  readonly stderr: string;
  /** Exit code; null if a signal or a lost connection ended it. */
  readonly code: number | null;
}

export interface WatchRequest {
  /** Absolute paths. */
  readonly files: readonly string[];
  /** Nothing outside of it is looked at; `''` is the whole file system. */
  readonly root: string;
  /** From now on changes are told; what changed before was not. */
  readonly onStanding: () => void;
  readonly onChange: (file: string) => void;
  readonly signal: AbortSignal;
  /** Until it stands. */
  readonly timeoutMs: number;
}

/** Runs `sh` somewhere. `run` throws a SinkError where it could not be run to its end, or the call was cancelled. */
export interface Shell {
  /** Where it runs, for messages: `deploy@web1:22`. */
  readonly host: string;
  run(request: ShellRequest): Promise<ShellResult>;
  /** Tells of changes. Resolves when the signal aborts, or when a directory came or went, so that it has to begin anew. Throws SinkError where it was lost. */
  watch(request: WatchRequest): Promise<void>;
  close(): Promise<void>;
}

/** Largest file that is read or written. */
export const MAX_FILE_BYTES = 16 * 1024 * 1024;
// Content and ledger in base64, each at its largest.
export const MAX_OUTPUT_BYTES = 3 * MAX_FILE_BYTES;
export const MAX_STDERR_BYTES = 4096;

/** What goes to the shell's input: the script on one line, the header, the body. */
export function encodeRequest({ script, header, body = [] }: ShellRequest): Buffer {
  const lines = Object.entries(header).map(([name, value]) => `${name}=${value}\n`);
  return Buffer.concat([Buffer.from(`${Buffer.from(script).toString('base64')}\n${lines.join('')}\n`), ...body]);
}

export interface Collector {
  readonly add: (chunk: Buffer) => void;
  bytes(): Buffer;
}

/** Keeps output up to a limit and drops the rest: an answer without its end is no answer, so that the loss is noticed. */
export function createCollector(maxBytes: number): Collector {
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    add(chunk) {
      if (size < maxBytes) chunks.push(chunk.subarray(0, maxBytes - size));
      size += chunk.length;
    },
    bytes: () => Buffer.concat(chunks),
  };
}
