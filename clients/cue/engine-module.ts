import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';

let compiled: Promise<WebAssembly.Module> | undefined;

/** The CUE engine, decompressed and compiled once in a process; worker threads share the compiled code. */
export function engineModule(): Promise<WebAssembly.Module> {
  compiled ??= load().catch((error: unknown) => {
    compiled = undefined; // the next request tries again
    throw error;
  });
  return compiled;
}

async function load(): Promise<WebAssembly.Module> {
  const packed = await readFile(new URL('engine/cue.wasm.br', import.meta.url));
  return WebAssembly.compile(await promisify(brotliDecompress)(packed));
}
