import type { Protocol } from './remote.ts';

/** What the machine's administrator decides: where programs are, which proxy and which certificate authorities. */
const PASSED_ON = [
  'PATH',
  'TMPDIR',
  'HTTPS_PROXY',
  'https_proxy',
  'http_proxy',
  'ALL_PROXY',
  'all_proxy',
  'NO_PROXY',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GIT_SSL_CAINFO',
];

/** No configuration of the machine or of a user counts, and nothing of a repository can make git run something. */
const HARDENING = {
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'core.attributesFile': '/dev/null',
  'core.askPass': '/bin/false',
  // Two workers may share a mirror; a ref's lock is held for milliseconds.
  'core.filesRefLockTimeout': '10000',
  'core.packedRefsTimeout': '10000',
  'credential.helper': '',
  'fetch.fsckObjects': 'true',
  'transfer.fsckObjects': 'true',
  'fetch.recurseSubmodules': 'false',
  'fetch.showForcedUpdates': 'false',
  // Always one pack, whose size the kernel limits, never loose objects.
  'fetch.unpackLimit': '1',
  // A third of a small fetch's time. A mirror that a power failure leaves incomplete is found to be so, by the hashes of its objects, and made anew.
  'core.fsync': 'none',
  'gc.auto': '0',
  'gc.autoDetach': 'false',
  'maintenance.auto': 'false',
  'protocol.version': '2',
  // A forge answers for a renamed repository with a redirect. The credential is bound to the configured host and is not sent elsewhere.
  'http.followRedirects': 'initial',
  'http.lowSpeedLimit': '1000',
  'http.lowSpeedTime': '30',
  'submodule.recurse': 'false',
} as const;

export type Settings = Readonly<Record<string, string>>;

/** The environment of one git process. Settings go in here and not by `-c`, so that none can be seen in the process list. */
export function gitEnvironment(mirror: string | null, protocol: Protocol | null, settings: Settings, variables: Settings): Record<string, string> {
  const environment: Record<string, string> = {
    LC_ALL: 'C',
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_OPTIONAL_LOCKS: '0',
    // Also counts for redirects: https cannot be led to http or ssh. None allowed where no transport is meant to run.
    GIT_ALLOW_PROTOCOL: protocol ?? 'none',
    ...variables,
  };
  // Named, never searched for, which also keeps a config file that lies in a directory above from counting.
  if (mirror !== null) environment['GIT_DIR'] = mirror;
  for (const name of PASSED_ON) if (process.env[name] !== undefined) environment[name] = process.env[name];
  const entries = Object.entries({ ...HARDENING, ...settings });
  environment['GIT_CONFIG_COUNT'] = String(entries.length);
  for (const [index, [key, value]] of entries.entries()) {
    environment[`GIT_CONFIG_KEY_${index}`] = key;
    environment[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return environment;
}
