/** The bundle after parsing: what `schemas/bundle.ts` gives and everything else works with. All names are validated slugs. */
export interface Bundle {
  readonly settings: Settings;
  readonly tenants: Readonly<Record<string, Tenant>>;
}

export interface Settings {
  /** `file://` and plain-path repositories, for development and tests. */
  readonly allowFileRepositories: boolean;
  /** Key of the HMAC that fingerprints values in ledgers and plans. */
  readonly fingerprintKey?: CredentialReference;
}

/** A credential is named, never written: read from the environment, a file or Vault at the moment of use. */
export type CredentialReference =
  | { readonly env: string }
  | { readonly file: string }
  /** `manager:path#field`; managers of two tenants may share a name, so loading a bundle adds whose it is. */
  | { readonly vault: string; readonly tenant?: string };

export type Provider = 'github' | 'gitlab' | 'gitea' | 'forgejo' | 'bitbucket' | 'generic';

export interface Tenant {
  readonly repositories: Readonly<Record<string, Repository>>;
  readonly secretManagers: Readonly<Record<string, SecretManager>>;
  readonly sinks: Readonly<Record<string, SinkConnection>>;
  readonly rules: Readonly<Record<string, Rule>>;
  /** Times in which nothing of the tenant is written without force. */
  readonly freeze?: readonly FreezeWindow[];
}

/** A time that comes again and again. */
export interface FreezeWindow {
  /** When it begins: cron of five fields, by the clock of `timeZone`. */
  readonly from: string;
  /** How long it lasts, as time that passes, whatever the clock does meanwhile. */
  readonly forMs: number;
  /** IANA name. */
  readonly timeZone: string;
  readonly reason: string;
}

export interface Repository {
  readonly provider: Provider;
  readonly url: string;
  readonly credentials?: GitCredentials;
  readonly webhookSecret?: CredentialReference;
  /** Interval of the poll for lost webhooks; null is off. */
  readonly pollMs: number | null;
}

export type GitCredentials =
  /** Sent as HTTP basic auth; `username` defaults to what the provider expects beside a token. */
  | { readonly token: CredentialReference; readonly username?: string }
  /** An OpenSSH private key; `knownHosts` is the content of a known_hosts file, and required: a host key is always checked. */
  | { readonly sshKey: CredentialReference; readonly knownHosts: CredentialReference };

export interface SecretManager {
  readonly kind: 'vault';
  readonly address: string;
  readonly mount: string;
  readonly kv: 1 | 2;
  /** Vault Enterprise and OpenBao. */
  readonly namespace?: string;
  /** Certificates to trust instead of the system's, in PEM, and the name that the server's must have. */
  readonly tls?: { readonly ca?: CredentialReference; readonly servername?: string };
  /** For one request, from the connection to the last byte. */
  readonly requestTimeoutMs?: number;
  /** Globs of the paths that files and schemas may refer to; absent: whatever the login may read. */
  readonly paths?: readonly string[];
  readonly auth:
    | { readonly method: 'token'; readonly token: CredentialReference }
    | { readonly method: 'approle'; readonly mount?: string; readonly roleId: CredentialReference; readonly secretId: CredentialReference }
    | { readonly method: 'userpass'; readonly mount?: string; readonly username: string; readonly password: CredentialReference }
    | { readonly method: 'kubernetes'; readonly mount?: string; readonly role: string; readonly jwt: CredentialReference };
}

/** A sink of the bundle. `options` were parsed by the kind's own schema (`SinkDefinition.options`). */
export interface SinkConnection {
  readonly kind: string;
  readonly options: unknown;
  /** Calls that one worker makes at the same time; absent: what the connections of a worker have by default. */
  readonly concurrency?: number;
  /** After how long without a call the connection is closed until the next; null: never. */
  readonly idleMs?: number | null;
}

export interface Rule {
  readonly from: Source;
  readonly environments: Environments;
  readonly schema: { readonly file: string; readonly definition?: string; readonly defaults: boolean } | 'none';
  /** What the schema is asked of secrets; absent: `type`. */
  readonly constrain?: 'type' | 'value';
  readonly to: readonly Destination[];
  readonly prune: boolean;
  /** Globs over dotted keys that are never deleted. */
  readonly protect: readonly string[];
  readonly limits: { readonly deletes: DeleteLimit | null };
  readonly onExisting: 'refuse' | 'overwrite';
  readonly onFailure: 'compensate' | 'continue' | 'halt';
  readonly drift: { readonly mode: 'heal' | 'warn' | 'off'; readonly intervalMs: number; readonly ignore: readonly string[] };
  /** Times in which no target of the rule is written without force, beside those of the tenant. */
  readonly freeze?: readonly FreezeWindow[];
  /** How long retries of one write may go on before it counts as failed for good. */
  readonly timeoutMs: number;
}

export type DeleteLimit = { readonly percent: number } | { readonly count: number };

export interface Source {
  readonly repository: string;
  readonly files: readonly FilePattern[];
  /** Dotted path of the subtree to use. */
  readonly select?: string;
  /** Whether maps keyed by environment names are resolved. */
  readonly blocks: boolean;
  /** How lists become keys: one JSON leaf, or a key for each index. */
  readonly lists: 'json' | 'index';
}

/** One entry of `files`: a path (or glob) that may hold `{env}`; a trailing `?` of the bundle became `optional`. */
export interface FilePattern {
  readonly pattern: string;
  readonly optional: boolean;
  /** Named here, or told by the extension. */
  readonly format?: Format;
}

export type Format = 'yaml' | 'json' | 'toml' | 'dotenv' | 'ini' | 'properties' | 'hcl' | 'xml';

export interface Environments {
  /** Branch name or glob → environment name (may hold `{branch}`). */
  readonly branches: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  /** Template with `{number}`. */
  readonly pullRequests?: string;
  /** Branch whose tree maps `{env}` of `files` to environments: every directory or file that matches is one. */
  readonly paths?: string;
}

/** `fields` were parsed by the kind's own schema (`SinkDefinition.destination`) and hold what only that kind knows. */
export interface Destination {
  readonly sink: string;
  /** Template over {@link PLACE_VARIABLES}. */
  readonly place: string;
  readonly layout: string;
  readonly fields: unknown;
}

export const PLACE_VARIABLES = ['tenant', 'env', 'branch', 'tag', 'number', 'rule'] as const;
