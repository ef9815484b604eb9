import { SinkError, type SinkErrorReason } from '../errors.ts';
import type { Trouble } from './gateway.ts';
import type { HelmResult } from './program.ts';

export interface Failure extends HelmResult {
  /** What Helm did: `upgrade`, `rollback`, `uninstall`. */
  readonly verb: string;
  readonly fenced: boolean;
  readonly troubles: readonly Trouble[];
  /** Keys of the values, which an error may name. */
  readonly keys: readonly string[];
  /** Text of the values, of which nothing may be shown. */
  readonly input: string;
}

/**
 * What went wrong in one run of Helm, in our words: what Helm says quotes templates, manifests and values. The API server's answers tell most of it,
 * and come by way of the gateway.
 */
export function complaintOf(failure: Failure, where: string): SinkError {
  const { verb, said, ended, troubles } = failure;
  const error = (reason: SinkErrorReason, message: string): SinkError => new SinkError(reason, `${where}: ${message}`);
  if (failure.fenced) return error('conflict', 'somebody else made a revision of the release since it was read');
  if (ended === 'cancelled') return error('unavailable', `helm ${verb} was cancelled`);
  const lost = troubles.filter((each) => each.status === 0);
  const refused = troubles.findLast((each) => each.status > 0 && !isHarmless(each));
  if (refused) {
    const [reason, message] = refusalOf(refused);
    return error(reason, message);
  }
  if (lost.length > 0) return error('unavailable', 'the API server is not reachable');
  if (ended === 'late') return error('unavailable', `helm ${verb} did not end within its timeout; with wait, what the chart made was perhaps not ready`);
  const [reason, message] = (WORDS.find(([pattern]) => pattern.test(said))?.slice(1) as [SinkErrorReason, string] | undefined) ?? [
    'rejected' as const,
    `helm ${verb} failed (exit code ${failure.code ?? 'none'}), and its words may quote values; run it by hand to see them`,
  ];
  return error(reason, `${message}${detailOf(failure)}`);
}

/** What Helm says before it has asked the API server for anything. */
const WORDS: readonly (readonly [RegExp, SinkErrorReason, string])[] = [
  [/another operation \(.*\) is in progress/, 'conflict', 'Helm is at work on the release'],
  [/cannot re-?use a name|release: already exists|has no deployed releases|release: not found/, 'conflict', 'the release is another one than was read'],
  [/unknown flag|unknown shorthand/, 'unsupported', 'this version of Helm lacks a flag that is needed; 3.22 and 4.3 have it'],
  [/don't meet the specifications of the schema|values\.schema\.json/, 'rejected', 'the schema of the chart refuses the values'],
  [
    /invalid ownership metadata|cannot be imported into the current release/,
    'rejected',
    'an object that the chart makes is there and belongs to something else',
  ],
  [/no matches for kind/, 'rejected', 'the cluster does not know a kind of object that the chart makes; install its definition first'],
  [/timed out waiting|context deadline exceeded/, 'unavailable', 'what the chart made was not ready within the timeout'],
  [/post-install|pre-install|post-upgrade|pre-upgrade|pre-rollback|post-rollback|pre-delete|post-delete/, 'rejected', 'a hook of the chart failed'],
  [/parse error|template|YAML parse error|error converting YAML|execution error/i, 'rejected', 'a template of the chart cannot be rendered with the values'],
  [
    /Chart\.yaml|no such file|path .* not found|missing in charts\/ directory/,
    'rejected',
    'the chart cannot be loaded; it has to be whole, with its dependencies',
  ],
  [/Kubernetes cluster unreachable/, 'unavailable', 'the API server is not reachable'],
];

/** Helm asks for much that need not be there, and makes namespaces that may be there. */
function isHarmless({ method, path, status }: Trouble): boolean {
  const isRead = method === 'GET' || method === 'HEAD';
  return isRead ? status !== 401 && status !== 403 && status !== 429 && status < 500 : status === 409 && path === '/api/v1/namespaces';
}

function refusalOf({ method, path, status, text }: Trouble): readonly [SinkErrorReason, string] {
  // Names of objects can be made of values.
  const kind = /^\/(?:api\/[^/]+|apis\/[^/]+\/[^/]+)\/(?:namespaces\/[^/]+\/)?([a-z]+)/.exec(path)?.[1] ?? 'an object';
  const isRecord = /\/secrets(\/sh\.helm\.release\.v1\.|$)/.test(path);
  if (status === 401) return ['unauthorized', 'the API server does not know us (401); check the token, or what the kubeconfig says of the user'];
  if (status === 403 && /exceeded quota/.test(text)) return ['rejected', 'the quota of the namespace is used up'];
  if (/admission webhook/.test(text)) return ['rejected', `an admission webhook of the cluster refused one of ${kind}; ask who runs it`];
  if (status === 403)
    return ['unauthorized', `the user may not ${verbOf(method)} ${kind}; docs/sinks/helm.md has a Role, to which what the chart makes has to be added`];
  if (status === 409 && isRecord) return ['conflict', 'somebody else made a revision of the release since it was read'];
  if (status === 409) return ['rejected', `one of ${kind} is managed by something else as well, which set other values in it (409)`];
  if (status === 413 || /Too long|etcdserver: request is too large|FieldValueTooLong/.test(text)) {
    return [
      'too-large',
      isRecord ? 'chart and values together are more than the 1 MiB that Helm can keep in a Secret' : `one of ${kind} is larger than Kubernetes takes`,
    ];
  }
  if (status === 404 && method === 'POST') return ['rejected', 'the namespace is not there; make it, or set createNamespace: true'];
  if (status === 429) return ['throttled', 'the API server asks to be called less often'];
  if (status >= 500) return ['unavailable', `the API server failed with ${status}`];
  return ['rejected', `the API server refused one of ${kind} as the chart makes it (${status})`];
}

const VERBS: Readonly<Record<string, string>> = { GET: 'get or list', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

function verbOf(method: string): string {
  return VERBS[method] ?? method;
}

/** The places that Helm names: files of the chart, and keys that Git names. */
function detailOf({ said, keys, input }: Failure): string {
  const file = /\b[\w.-]+\/templates\/[\w./-]+(:\d+)?(:\d+)?/.exec(said)?.[0];
  // A schema's complaints name the place as a JSON pointer.
  const named = keys.filter((key) => said.includes(`'/${key.replaceAll('.', '/')}'`));
  return [file === undefined || input.includes(file) ? '' : ` (${file})`, named.length === 0 ? '' : `: ${named.slice(0, 5).join(', ')}`].join('');
}
