// Builds clients/cue/engine/cue.wasm.br from the Go sources beside it: `node tools/build-cue.ts`, about two minutes.
// With --check: builds and compares with what is committed, before compression (which takes most of the time and changes nothing about the program).
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const engine = join(import.meta.dirname, '../clients/cue/engine');
const artefact = join(engine, 'cue.wasm.br');
const record = join(engine, 'build.json');
/** A schema that needs more kills its engine, not the process. */
const maxMemoryMiB = 256;

/** What the committed artefact was made from and is, so that each can be verified without the others. */
export interface BuildRecord {
  readonly go: string;
  readonly sources: string;
  readonly wasm: string;
}

/** Digest of everything that goes into the build. */
export function sourcesDigest(): string {
  const hash = createHash('sha256');
  const names = readdirSync(engine).filter((name) => /\.go$|^go\.(mod|sum)$/.test(name) && !name.endsWith('_test.go'));
  for (const name of names.toSorted())
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(engine, name)))
      .update('\0');
  return hash.digest('hex');
}

export function readRecord(): BuildRecord {
  return JSON.parse(readFileSync(record, 'utf8')) as BuildRecord;
}

/** `go1.26.8`, or undefined where there is no Go. */
export function goVersion(): string | undefined {
  try {
    return execFileSync('go', ['env', 'GOVERSION'], {
      encoding: 'utf8',
      env: { ...process.env, GOTOOLCHAIN: 'local' },
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined;
  }
}

/** The module with its memory bounded, the same bytes from every machine and folder that has the same Go. */
export function buildWasm(): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'vartrack-cue-'));
  try {
    const output = join(directory, 'cue.wasm');
    const flags = ['-mod=readonly', '-trimpath', '-buildvcs=false', '-ldflags=-s -w -buildid=', '-tags=reactor', '-buildmode=c-shared'];
    const env = {
      ...process.env,
      GOOS: 'wasip1',
      GOARCH: 'wasm',
      GOTOOLCHAIN: 'local',
      GOFLAGS: '',
      GOWASM: '',
      GOEXPERIMENT: '',
      GOWORK: 'off',
      CGO_ENABLED: '0',
    };
    execFileSync('go', ['build', ...flags, '-o', output, '.'], { cwd: engine, env, stdio: ['ignore', 'inherit', 'inherit'] });
    return limitMemory(readFileSync(output), maxMemoryMiB);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Declares a maximum in the memory section (id 5), since Go's linker declares none and Node has no other way to bound it. */
function limitMemory(wasm: Buffer, maxMiB: number): Buffer {
  for (let at = 8; at < wasm.length;) {
    const section = wasm[at];
    const [length, body] = readLeb(wasm, at + 1);
    if (section === 5) {
      if (wasm[body] !== 1 || wasm[body + 1] !== 0) throw new Error('the module should have one memory without a maximum');
      const [minPages] = readLeb(wasm, body + 2);
      const limits = [1, 1, ...writeLeb(minPages), ...writeLeb(maxMiB * 16)];
      return Buffer.concat([wasm.subarray(0, at), Buffer.from([5, ...writeLeb(limits.length), ...limits]), wasm.subarray(body + length)]);
    }
    at = body + length;
  }
  throw new Error('the module has no memory section');
}

function readLeb(bytes: Buffer, start: number): [value: number, next: number] {
  let value = 0;
  for (let i = 0; ; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) throw new Error('the module ends within a number');
    value += (byte & 0x7f) * 128 ** i;
    if (byte < 0x80) return [value, start + i + 1];
  }
}

function writeLeb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...writeLeb(Math.floor(value / 128))];
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function build(): void {
  const go = goVersion();
  if (!go) throw new Error('Go is needed to build the CUE engine: https://go.dev/dl');
  const wasm = buildWasm();
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: wasm.length };
  const packed = brotliCompressSync(wasm, { params });
  writeFileSync(artefact, packed);
  writeFileSync(`${artefact}.sha256`, `${sha256(packed)}  cue.wasm.br\n`);
  writeFileSync(record, `${JSON.stringify({ go, sources: sourcesDigest(), wasm: sha256(wasm) } satisfies BuildRecord, null, 2)}\n`);
}

/** Undefined when the committed engine is what its sources build, else what is wrong; throws nothing where Go is absent or another. */
export function checkBuild(): { readonly skipped?: string; readonly wrong?: string } {
  const recorded = readRecord();
  if (sourcesDigest() !== recorded.sources) return { wrong: 'the Go sources changed since cue.wasm.br was built: run `node tools/build-cue.ts`' };
  const go = goVersion();
  if (go !== recorded.go) return { skipped: `the engine was built with ${recorded.go}, here is ${go ?? 'no Go'}` };
  const built = sha256(buildWasm());
  return built === recorded.wasm ? {} : { wrong: `the sources build ${built}, recorded is ${recorded.wasm}` };
}

if (import.meta.main) {
  if (!process.argv.includes('--check')) build();
  else {
    const { skipped, wrong } = checkBuild();
    console.log(wrong ?? (skipped ? `skipped: ${skipped}` : 'the committed engine is what its sources build'));
    if (wrong) process.exitCode = 1;
  }
}
