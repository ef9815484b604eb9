import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const TAIL_CHARACTERS = 2_000;

/** Runs an installer to its end and returns what it printed; a failure carries the end of its error output. */
export async function run(program: string, args: readonly string[], options: { cwd?: string; env?: Record<string, string> } = {}): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
      maxBuffer: MAX_OUTPUT_BYTES,
    });
    return stdout;
  } catch (error) {
    const stderr = ((error as { stderr?: string }).stderr ?? '').slice(-TAIL_CHARACTERS);
    throw new Error(`${program} ${args.slice(0, 2).join(' ')} failed: ${stderr.trim() || String(error)}`, { cause: error });
  }
}
