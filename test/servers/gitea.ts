import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { programOf } from './program-of.ts';
import { giteaStaticRoot } from './recipes/gitea.ts';
import { run } from './run.ts';
import { startProcess } from './start-process.ts';

export interface GiteaServer {
  readonly url: string;
  readonly adminToken: string;
  /** A new repository of the admin, with one commit on `main`. */
  createRepository(name: string): Promise<GiteaRepository>;
  /** Calls Gitea's API, `path` after `/api/v1`. Throws for an answer that is not 2xx. */
  api(method: string, path: string, body?: unknown): Promise<unknown>;
  stop(): Promise<void>;
}

export interface GiteaRepository {
  readonly fullName: string;
  /** For a bundle: without credentials. */
  readonly cloneUrl: string;
  /** Signs what it sends to `url` with `secret`. */
  addWebhook(url: string, secret: string, events?: readonly string[]): Promise<void>;
  /** Commits the files on the branch (made from `main` if it is not there) and pushes it with git. Gives the commit. */
  push(branch: string, files: Readonly<Record<string, string>>): Promise<string>;
  /** Tags the last commit that was pushed. */
  pushTag(name: string): Promise<void>;
  deleteBranch(name: string): Promise<void>;
  /** Gives its number. */
  openPullRequest(head: string, base?: string): Promise<number>;
  closePullRequest(number: number): Promise<void>;
}

const ADMIN = 'forgeadmin';

/** Starts a real Gitea with an empty SQLite database on a free port of 127.0.0.1. */
export async function startGitea(options: { readonly binary?: string; readonly staticRoot?: string } = {}): Promise<GiteaServer> {
  const binary = options.binary ?? (await programOf('gitea'));
  const folder = await mkdtemp(join(tmpdir(), 'vartrack-gitea-'));
  const config = join(folder, 'app.ini');
  const configure = (port: number) => writeFileSync(config, configuration(folder, options.staticRoot ?? giteaStaticRoot(binary), port));
  // HOME, so that nobody's git configuration is read or written.
  const env = { GITEA_WORK_DIR: folder, HOME: folder };
  try {
    configure(1);
    await run(binary, ['migrate', '--config', config], { env });
    const account = ['--username', ADMIN, '--random-password', '--email', 'admin@forge.example', '--admin', '--must-change-password=false'];
    const token = ['--access-token', '--access-token-name', 'tests', '--access-token-scopes', 'all'];
    const created = await run(binary, ['admin', 'user', 'create', '--config', config, ...account, ...token], { env });
    const adminToken = /\b[0-9a-f]{40}\b/.exec(created)?.[0];
    if (adminToken === undefined) throw new Error('gitea printed no access token');
    const server = await startProcess({
      program: binary,
      args: (port) => {
        configure(port);
        return ['web', '--config', config];
      },
      ready: async (port) => (await fetch(`http://127.0.0.1:${port}/api/v1/version`)).ok,
      env,
    });
    return client(`http://127.0.0.1:${server.port}`, adminToken, folder, async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function client(url: string, adminToken: string, folder: string, stop: () => Promise<void>): GiteaServer {
  async function api(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `token ${adminToken}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`gitea ${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
    return text === '' ? null : JSON.parse(text);
  }
  return {
    url,
    adminToken,
    api,
    stop,
    async createRepository(name) {
      await api('POST', '/user/repos', { name, auto_init: true, default_branch: 'main' });
      return repository({ url, adminToken, api, name, clone: join(folder, 'clones', name) });
    },
  };
}

interface RepositoryOptions extends Pick<GiteaServer, 'url' | 'adminToken' | 'api'> {
  readonly name: string;
  readonly clone: string;
}

async function repository({ url, adminToken, api, name, clone }: RepositoryOptions): Promise<GiteaRepository> {
  const fullName = `${ADMIN}/${name}`;
  const cloneUrl = `${url}/${fullName}.git`;
  const env = {
    HOME: dirname(clone),
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: 'Ada',
    GIT_AUTHOR_EMAIL: 'ada@acme.example',
    GIT_COMMITTER_NAME: 'Ada',
    GIT_COMMITTER_EMAIL: 'ada@acme.example',
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'http.extraHeader',
    GIT_CONFIG_VALUE_0: `Authorization: token ${adminToken}`,
  };
  const git = async (...args: string[]) => (await run('git', ['-C', clone, ...args], { env })).trim();
  await mkdir(clone, { recursive: true });
  await git('clone', '--quiet', cloneUrl, '.');

  return {
    fullName,
    cloneUrl,
    async addWebhook(target, secret, events = ['push', 'create', 'delete', 'pull_request', 'pull_request_sync']) {
      await api('POST', `/repos/${fullName}/hooks`, { type: 'gitea', active: true, events, config: { url: target, content_type: 'json', secret } });
    },
    async push(branch, files) {
      const isThere = (await git('branch', '--list', branch)) !== '';
      await git('checkout', '--quiet', ...(isThere ? [branch] : ['-b', branch, 'main']));
      for (const [path, text] of Object.entries(files)) {
        await mkdir(dirname(join(clone, path)), { recursive: true });
        await writeFile(join(clone, path), text);
      }
      await git('add', '--all');
      await git('commit', '--quiet', '--allow-empty', '--message', `Change ${Object.keys(files).join(', ')}`);
      await git('push', '--quiet', 'origin', branch);
      return git('rev-parse', 'HEAD');
    },
    async pushTag(tag) {
      await git('tag', '--annotate', '--message', tag, tag);
      await git('push', '--quiet', 'origin', `refs/tags/${tag}`);
    },
    async deleteBranch(branch) {
      await git('push', '--quiet', 'origin', '--delete', branch);
    },
    async openPullRequest(head, base = 'main') {
      const opened = (await api('POST', `/repos/${fullName}/pulls`, { head, base, title: `Merge ${head}` })) as { number: number };
      return opened.number;
    },
    async closePullRequest(number) {
      await api('PATCH', `/repos/${fullName}/pulls/${number}`, { state: 'closed' });
    },
  };
}

function configuration(folder: string, staticRoot: string, port: number): string {
  return `
RUN_MODE = prod
RUN_USER = ${userInfo().username}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = ${folder}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = ${port}
ROOT_URL = http://127.0.0.1:${port}/
STATIC_ROOT_PATH = ${staticRoot}
APP_DATA_PATH = ${join(folder, 'data')}
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = ${join(folder, 'gitea.db')}
[repository]
ROOT = ${join(folder, 'repositories')}
[security]
INSTALL_LOCK = true
SECRET_KEY = only-for-tests
[service]
DISABLE_REGISTRATION = true
[webhook]
ALLOWED_HOST_LIST = loopback
[actions]
ENABLED = false
[indexer]
ISSUE_INDEXER_TYPE = db
[queue]
TYPE = channel
[cron]
ENABLED = false
[log]
MODE = console
LEVEL = Warn
`;
}
