import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';

export type Body =
  | { readonly kind: 'read'; readonly bytes: Buffer }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'busy' }
  | { readonly kind: 'aborted' };

export interface BodyLimits {
  readonly maxBytes: number;
  /** Bound of what all requests together may hold in memory: bodies are held before their signature is known to be good. */
  readonly maxTotalBytes: number;
}

const NOTHING: AsyncIterable<Buffer> = { async *[Symbol.asyncIterator]() {} };

/**
 * Reads raw bodies for signature checks. A body over the limit is thrown away as it comes, up to once the limit again, so that a sender that
 * writes before it reads still hears the answer; the caller then closes the connection. A body counts as held until its response is over.
 */
export function createBodyReader({ maxBytes, maxTotalBytes }: BodyLimits): (request: IncomingMessage, response: EventEmitter) => Promise<Body> {
  let heldBytes = 0;

  return async function readBody(request, response) {
    const declared = Number(request.headers['content-length'] ?? 0);
    let excess: 'too-large' | 'busy' | null = declared > maxBytes ? 'too-large' : null;
    let chunks: Buffer[] = [];
    let size = 0;
    let mine = 0;
    function release(): void {
      heldBytes -= mine;
      mine = 0;
      chunks = [];
    }
    response.once('close', release);
    try {
      // Leaving the loop must not destroy the request: its connection has an answer to carry yet.
      const stream: AsyncIterable<Buffer> = declared > 2 * maxBytes ? NOTHING : request.iterator({ destroyOnReturn: false });
      for await (const chunk of stream) {
        size += chunk.length;
        if (size > maxBytes) excess = 'too-large';
        else if (heldBytes + chunk.length > maxTotalBytes) excess ??= 'busy';
        if (excess) release();
        if (size > 2 * maxBytes) break;
        if (excess) continue;
        heldBytes += chunk.length;
        mine += chunk.length;
        chunks.push(chunk);
      }
    } catch {
      release();
      return { kind: 'aborted' };
    }
    return excess ? { kind: excess } : { kind: 'read', bytes: Buffer.concat(chunks, size) };
  };
}
