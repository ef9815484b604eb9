import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger } from 'pino';

export interface LoggerOptions {
  /** Which program writes: `api`, `worker`. */
  readonly name: string;
  readonly level?: string;
  /** Standard output unless given. */
  readonly destination?: DestinationStream;
}

const CONFIDENTIAL = ['authorization', 'cookie', 'token', 'password', 'secret', 'privateKey', 'sshKey', 'signature', 'body', 'rawBody', 'value', 'values'];

const SIGNED_HEADERS = [
  'x-hub-signature',
  'x-hub-signature-256',
  'x-gitea-signature',
  'x-forgejo-signature',
  'x-gitlab-token',
  'webhook-signature',
  'x-signature',
];

/**
 * JSON lines for people and log stores. Log calls name the fields that they mean and never pass whole requests or configurations; the redaction
 * of confidential names, three levels deep, is the second line of defence (I8).
 */
export function createLogger({ name, level = 'info', destination }: LoggerOptions): Logger {
  const options = {
    name,
    level,
    // Process and host are the business of whoever collects the lines.
    base: { name },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: redactedPaths(), censor: '[redacted]' },
  };
  return destination ? pino(options, destination) : pino(options);
}

function redactedPaths(): string[] {
  const names = [...CONFIDENTIAL, ...SIGNED_HEADERS].map((name) => `["${name}"]`);
  return ['', '*', '*.*', '*.*.*'].flatMap((prefix) => names.map((name) => prefix + name));
}
