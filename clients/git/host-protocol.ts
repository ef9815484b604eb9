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
  | { readonly id: number; readonly read: ReadRequest }
  /** Ends a command that was started. It is answered like any other. */
  | { readonly id: number; readonly cancel: true };

/** Objects of the mirror that `env` names as GIT_DIR. */
export interface ReadRequest {
  readonly env: Readonly<Record<string, string>>;
  /** 40 hex digits each. */
  readonly names: readonly string[];
  /** All contents together. */
  readonly maxBytes: number;
}

/** The content's hash is the name. */
export interface FoundObject {
  readonly name: string;
  readonly type: 'commit' | 'tree' | 'blob' | 'tag';
  readonly content: Uint8Array;
}

export type FromHost =
  | {
      readonly id: number;
      readonly exit: { readonly end: 'exit' | 'timeout' | 'output-limit'; readonly code: number; readonly stdout: Uint8Array; readonly stderr: string };
    }
  /** In the order of the names; null where that cannot be told for certain. */
  | { readonly id: number; readonly objects: readonly FoundObject[] | null }
  /** It could not be started. */
  | { readonly id: number; readonly error: string };
