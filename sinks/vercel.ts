import { envName } from '../clients/formats/env-name.ts';
import { leafText } from '../domain/flatten.ts';
import type { RenderedEntry } from '../domain/plan.ts';
import { InvalidInput } from '../domain/problem.ts';
import { formatPath } from '../domain/value.ts';
import { SinkError } from './errors.ts';
import { defineSink } from './sink.ts';
import { vercelDestination, vercelOptions, type VercelFields, type VercelOptions } from './vercel/options.ts';
import { OWN_PREFIX } from './vercel/own-variable.ts';
import { scopeOf, scopeText } from './vercel/scope.ts';
import { createVercelSink } from './vercel/sink.ts';
import { bytesOf, MAX_DEPLOYMENT_BYTES } from './vercel/size.ts';
import { createVariables } from './vercel/variables.ts';

/** What Vercel does not take; https://vercel.com/docs/environment-variables/reserved-environment-variables. */
const RESERVED =
  /^(AWS_SECRET_KEY|AWS_EXECUTION_ENV|AWS_LAMBDA_(LOG_GROUP_NAME|LOG_STREAM_NAME|FUNCTION_(NAME|MEMORY_SIZE|VERSION))|NOW_REGION|TZ|LAMBDA_(TASK_ROOT|RUNTIME_DIR))$/;
/** Of the ledger for one key beside its name: fingerprint and punctuation. */
const LEDGER_BYTES = 22;

/** Environment variables of projects at Vercel. */
export const vercel = defineSink<VercelOptions, VercelFields>({
  kind: 'vercel',
  layouts: {
    env: { values: 'readable', ownership: 'keys', atomicity: 'key' },
    sensitive: { values: 'hidden', ownership: 'keys', atomicity: 'key' },
  },
  notifies: false,
  options: vercelOptions,
  destination: vercelDestination,
  system: ({ url, teamId }) => `${url.replace(/\/$/, '')}${teamId === undefined ? '' : ` ${teamId}`}`,
  placeProblem: (name) => (/^[A-Za-z0-9._-]{1,100}$/.test(name) ? null : 'has to be the name or id of a project: 1 to 100 of A-Z, a-z, 0-9, . _ and -'),
  identity: (name, fields) => `${name} ${scopeText(scopeOf(fields))}`,

  render(entry): RenderedEntry {
    const path = formatPath(entry.path);
    const refuse = (why: string): SinkError => new SinkError('unsupported', why, { key: path });
    const key = nameOf(entry.path, path);
    const text = leafText(entry.value);
    if (RESERVED.test(key)) throw refuse(`the key ${path} becomes ${key}, which Vercel reserves for itself; rename it`);
    if (key.startsWith(OWN_PREFIX)) throw refuse(`the key ${path} becomes ${key}, and names that begin with ${OWN_PREFIX} are varTrack's own; rename it`);
    if (!text.isWellFormed()) throw refuse(`the value of ${path} has one half of a surrogate pair`);
    if (text.includes('\0')) throw refuse(`the value of ${path} has a NUL, which no environment variable can hold`);
    if (bytesOf({ key, value: text }) > MAX_DEPLOYMENT_BYTES)
      throw new SinkError('too-large', `the value of ${path} is above the ${MAX_DEPLOYMENT_BYTES} bytes that Vercel gives to all variables of a deployment`, {
        key: path,
      });
    return { ...entry, key, text };
  },

  limitProblem(entries) {
    const bytes = entries.reduce((sum, { key, text }) => sum + bytesOf({ key, value: text }) + key.length + LEDGER_BYTES, 0);
    if (bytes <= MAX_DEPLOYMENT_BYTES) return null;
    return `its variables and the ledger would have ${bytes} bytes, above the limit of ${MAX_DEPLOYMENT_BYTES} that Vercel has for one deployment`;
  },

  connect: async (options, resolve) => createVercelSink(createVariables(options, resolve), options, resolve),
});

function nameOf(path: RenderedEntry['path'], key: string): string {
  try {
    return envName(path);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    throw new SinkError(
      'unsupported',
      `the key ${key} cannot be the name of an environment variable, which takes letters, digits and _ and starts with no digit`,
      { key },
    );
  }
}
