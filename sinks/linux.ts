import { z } from 'zod';
import { credentialReference } from '../schemas/credential-reference.ts';
import { duration } from '../schemas/duration.ts';
import { documentProblem, renderLeaf } from './leaf-document.ts';
import { createLinuxSink } from './linux/connection.ts';
import { createLocalShell } from './linux/local.ts';
import { MAX_FILE_BYTES } from './linux/shell.ts';
import { createSshShell } from './linux/ssh.ts';
import { defineSink, type Capabilities, type ResolveCredential } from './sink.ts';

const absolutePath = z.string().refine((path) => pathProblem(path) === null, { error: ({ input }) => `the path ${pathProblem(String(input))}` });
const oneLine = z
  .string()
  .min(1)
  .regex(/^[^\0\r\n]*$/, 'one line; put more into a script');
const local = z.strictObject({
  transport: z.literal('local'),
  root: absolutePath.describe('Directory that everything stays below, whatever symbolic links say'),
  timeout: duration.prefault('30s').describe('Limit of one call, without the commands'),
});
const ssh = z
  .strictObject({
    transport: z.literal('ssh'),
    host: z.string().min(1),
    port: z.int().min(1).max(65_535).default(22),
    user: z.string().min(1),
    privateKey: credentialReference.optional().describe('OpenSSH private key'),
    passphrase: credentialReference.optional().describe('Passphrase of the private key'),
    password: credentialReference.optional(),
    hostKey: z
      .string()
      .regex(/^SHA256:[A-Za-z0-9+/]{43}$/, 'the SHA256 fingerprint of the host key, as ssh-keygen -lf prints it')
      .describe('Fingerprint of the host key; always checked'),
    root: absolutePath.optional().describe('Directory that everything stays below, whatever symbolic links say'),
    connectTimeout: duration.prefault('10s'),
    timeout: duration.prefault('30s').describe('Limit of one call, without the commands'),
  })
  .refine((options) => options.privateKey !== undefined || options.password !== undefined, { error: 'privateKey or password is needed' });
const options = z.discriminatedUnion('transport', [local, ssh]);
export type LinuxOptions = z.output<typeof options>;

const destination = z
  .strictObject({
    format: z.enum(['env', 'json', 'yaml', 'toml', 'ini', 'properties']).default('env'),
    mode: z
      .string()
      .regex(/^[0-7]{3,4}$/, 'an octal mode such as "0640"')
      .default('0600')
      .describe('Mode of a file that is made; one that exists keeps its own'),
    owner: z
      .string()
      .regex(/^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)?$/, 'user or user:group')
      .optional()
      .describe('Owner of a file that is made; takes root'),
    createDirectories: z.boolean().default(true).describe('Whether missing directories are made (0755)'),
    validate: oneLine.optional().describe('Command that must succeed on the new file, whose path is in $FILE, before anything changes'),
    reload: oneLine.optional().describe('Command that runs when the file has changed'),
    commandTimeout: duration.prefault('30s').describe('Limit of each of the two commands'),
  })
  .transform(({ format, commandTimeout, ...fields }) => ({ ...fields, layout: format, commandTimeoutMs: commandTimeout }));
/** A destination after parsing: `format` of the bundle is the layout. */
export type LinuxFields = z.output<typeof destination>;

const file: Capabilities = { values: 'readable', ownership: 'place', atomicity: 'place' };

/** Configuration files on this machine or on one that is reached by SSH. */
export const linux = defineSink<LinuxOptions, LinuxFields>({
  kind: 'linux',
  layouts: { env: file, json: file, yaml: file, toml: file, ini: file, properties: file },
  notifies: true,
  options,
  destination,
  system: (connection) => (connection.transport === 'local' ? 'this machine' : `${connection.host.toLowerCase()}:${connection.port}`),
  placeProblem(name) {
    const problem = pathProblem(name);
    if (problem) return `the path ${problem}`;
    const base = name.slice(name.lastIndexOf('/') + 1);
    if (Buffer.byteLength(base) > MAX_NAME_BYTES) return `the file name is longer than ${MAX_NAME_BYTES} bytes`;
    return /^\..*\.vartrack(\.|$)/.test(base) ? 'the path is a name that varTrack keeps for its ledgers' : null;
  },
  identity: (name) => name,
  render: (entry, fields) => renderLeaf(entry, fields.layout),
  limitProblem: (entries, { layout }) => documentProblem(entries, 'file', layout, MAX_FILE_BYTES),
  async connect(parsed, resolve) {
    const shell =
      parsed.transport === 'local'
        ? createLocalShell()
        : createSshShell({ ...parsed, connectTimeoutMs: parsed.connectTimeout, credentials: () => credentialsOf(parsed, resolve) });
    return createLinuxSink(shell, { root: parsed.root, timeoutMs: parsed.timeout });
  },
});

// Leaves room in the 255 bytes of a name for what is added to it beside the file.
const MAX_NAME_BYTES = 180;

function pathProblem(path: string): string | null {
  if (!path.startsWith('/')) return 'has to be absolute';
  if (/[\0\r\n]/.test(path)) return 'holds a line break or NUL';
  if (path.length > 4000) return 'is too long';
  const steps = path.slice(1).split('/');
  if (steps.includes('')) return 'has an empty step; it may not end in / nor hold //';
  return steps.includes('.') || steps.includes('..') ? 'holds . or ..; write it without' : null;
}

async function credentialsOf(parsed: Extract<LinuxOptions, { transport: 'ssh' }>, resolve: ResolveCredential) {
  const named = (['privateKey', 'passphrase', 'password'] as const).flatMap((name) => (parsed[name] ? [[name, parsed[name]] as const] : []));
  return Object.fromEntries(await Promise.all(named.map(async ([name, reference]) => [name, await resolve(reference)] as const)));
}
