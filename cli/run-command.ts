import { exitCodes, type ExitName } from './exit-codes.ts';
import { explainError } from './explain-error.ts';

/** What a command has found; `json` and `text` say the same. */
export interface CommandResult {
  readonly exit: ExitName;
  readonly json: unknown;
  readonly text: string;
}

/** Options of every command that answers. */
export interface AnswerOptions {
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** Runs a command: its answer goes to standard output, all else to standard error, so that `--json` always gives one document. */
export async function runCommand(options: AnswerOptions, act: () => Promise<CommandResult>): Promise<void> {
  try {
    const { exit, json, text } = await act();
    process.stdout.write(options.json ? `${JSON.stringify(json, null, 2)}\n` : text.endsWith('\n') ? text : `${text}\n`);
    process.exitCode = exitCodes[exit].code;
  } catch (error) {
    failCommand(error, options);
  }
}

/** Runs a process that goes on until it is stopped. */
export async function runProcess(options: Pick<AnswerOptions, 'debug'>, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    failCommand(error, options);
    // What had begun to run would hold the process.
    process.exit();
  }
}

function failCommand(error: unknown, options: AnswerOptions): void {
  const { exit, message } = explainError(error);
  const { code } = exitCodes[exit];
  if (options.json) process.stdout.write(`${JSON.stringify({ error: { message, exitCode: code } }, null, 2)}\n`);
  process.stderr.write(`vartrack: ${message}\n`);
  if (options.debug) console.error(error);
  process.exitCode = code;
}
