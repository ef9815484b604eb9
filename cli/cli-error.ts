import type { ExitName } from './exit-codes.ts';

/** What a command has to tell a person and no stack trace explains better. The message says what to do. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exit: ExitName;

  constructor(exit: ExitName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exit = exit;
  }
}
