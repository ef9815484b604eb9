import { createApp, type AppDependencies } from '../../api/app.ts';
import { startHttpServer, type HttpServer, type Timeouts } from '../../api/http-server.ts';
import { createApiMetrics, type ApiMetrics } from '../../api/metrics.ts';
import type { StreamId } from '../../api/receive-webhook.ts';
import { createLogger } from '../../clients/logger.ts';
import type { Bundle, Provider, Repository, Rule } from '../../domain/bundle.ts';
import type { SyncRequest } from '../../workflows/messages.ts';
import { SECRET, type Delivery } from './signed-delivery.ts';

export interface ApiUnderTest {
  readonly server: HttpServer;
  readonly metrics: ApiMetrics;
  /** What was handed to Temporal, in order. */
  readonly started: { stream: StreamId; request: SyncRequest }[];
  /** The lines of the log. */
  readonly lines: () => Record<string, unknown>[];
  readonly logText: () => string;
  send(path: string, delivery: Delivery): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** The real app on a real port; Temporal is a function that notes what it was asked. */
export async function startApiUnderTest(overrides: Partial<AppDependencies> = {}, timeouts?: Timeouts): Promise<ApiUnderTest> {
  const started: ApiUnderTest['started'] = [];
  const written: string[] = [];
  const metrics = createApiMetrics();
  const app = createApp({
    bundle: () => bundleOf({ config: repositoryOf('github') }),
    resolveCredential: () => Promise.resolve(SECRET),
    startSync: (stream, request) => {
      started.push({ stream, request });
      return Promise.resolve({ workflowId: `sync/${stream.tenant}/${stream.repository}/${stream.stream}`, runId: `run-${started.length}` });
    },
    linkTo: ({ runId }) => `http://ui.example/${runId}`,
    probeTemporal: () => Promise.resolve(),
    isDraining: () => false,
    logger: createLogger({ name: 'api', destination: { write: (line) => void written.push(line) } }),
    metrics,
    ...overrides,
  });
  const server = await startHttpServer(app, { host: '127.0.0.1', port: 0, ...(timeouts && { timeouts }) });
  return {
    server,
    metrics,
    started,
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
    logText: () => written.join(''),
    async send(path, { headers, body }) {
      const response = await fetch(server.url + path, { method: 'POST', headers, body: new Uint8Array(body) });
      return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> };
    },
  };
}

const URLS: Readonly<Record<Provider, string>> = {
  github: 'https://github.com/acme/config.git',
  gitlab: 'https://gitlab.com/acme/config.git',
  gitea: 'https://git.acme.example/acme/config.git',
  forgejo: 'https://code.acme.example/acme/config.git',
  bitbucket: 'git@bitbucket.org:acme/config.git',
  generic: 'https://git.acme.example/acme/config.git',
};

export function repositoryOf(provider: Provider, changes: Partial<Repository> = {}): Repository {
  return { provider, url: URLS[provider], webhookSecret: { env: 'HOOK' }, pollMs: null, ...changes };
}

export function bundleOf(repositories: Readonly<Record<string, Repository>>): Bundle {
  const rules = Object.fromEntries(Object.keys(repositories).map((name) => [name, ruleOf(name)]));
  return { settings: { allowFileRepositories: false }, tenants: { acme: { repositories, secretManagers: {}, sinks: {}, rules } } };
}

function ruleOf(repository: string): Rule {
  return {
    from: { repository, files: [{ pattern: 'settings.yaml', optional: false }], blocks: true, lists: 'json' },
    environments: { branches: { main: 'production', 'release/*': 'rc' }, tags: { 'v*': 'production' }, pullRequests: 'pr-{number}' },
    schema: 'none',
    to: [],
    prune: true,
    protect: [],
    limits: { deletes: null },
    onExisting: 'refuse',
    onFailure: 'compensate',
    drift: { mode: 'heal', intervalMs: 60_000, ignore: [] },
    timeoutMs: 120_000,
  };
}
