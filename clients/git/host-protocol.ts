// What travels between the process and the small one beside it that starts git.

export type ToHost =
  | {
      readonly id: number;
      readonly start: {
        readonly args: readonly string[];
        readonly env: Readonly<Record<string, string>>;
        readonly input?: string;
        readonly timeoutMs: number;
        readonly maxOutputBytes: number;
        readonly maxFileBytes?: number;
      };
    }
  /** Ends a command that was started. It is answered like any other. */
  | { readonly id: number; readonly cancel: true };

export type FromHost =
  | {
      readonly id: number;
      readonly exit: { readonly end: 'exit' | 'timeout' | 'output-limit'; readonly code: number; readonly stdout: Uint8Array; readonly stderr: string };
    }
  /** It could not be started. */
  | { readonly id: number; readonly error: string };
