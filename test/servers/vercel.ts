import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BatchRemoveProjectEnvRequest$outboundSchema, BatchRemoveProjectEnvResponseBody$inboundSchema } from '@vercel/sdk/models/batchremoveprojectenvop.js';
import { CreateProjectEnvRequest$outboundSchema, CreateProjectEnvResponseBody$inboundSchema } from '@vercel/sdk/models/createprojectenvop.js';
import { EditProjectEnvRequest$outboundSchema, EditProjectEnvResponseBody$inboundSchema } from '@vercel/sdk/models/editprojectenvop.js';
import { FilterProjectEnvsRequest$outboundSchema, FilterProjectEnvsResponseBody$inboundSchema } from '@vercel/sdk/models/filterprojectenvsop.js';
import { GetProjectEnvRequest$outboundSchema, GetProjectEnvResponseBody$inboundSchema } from '@vercel/sdk/models/getprojectenvop.js';
import { checkedAnswer, checkedRequest, ContractViolation } from './vercel/checked.ts';
import { createProject, Refusal, type Draft, type Project, type StoredVariable } from './vercel/project.ts';

export type VercelRole = 'admin' | 'reader' | 'nobody';

export interface VercelServer {
  /** What the SDK takes as `serverURL`. */
  readonly url: string;
  readonly teamId: string;
  token(role: VercelRole): string;
  /** The project of that name or id, made if it is not there. */
  project(name: string): Project;
  /** Times that the deploy hook was called. */
  readonly deployments: () => number;
  /** URL of a deploy hook; its path is a credential. */
  readonly deployHook: string;
  /** Accepts no connection and cuts those that are open, until `end`. */
  readonly outage: { begin(): Promise<void>; end(): Promise<void> };
  /** Throws if there were requests or answers that the SDK's schemas do not know, which fails the test. */
  stop(): Promise<void>;
}

export interface VercelBehaviour {
  /** Limits for each token in a window; none unless given. */
  readonly limits?: { readonly requests: number; readonly deletes: number; readonly windowMs: number };
  /** Whether a list with `decrypt=true` has values, which Vercel calls deprecated. */
  readonly decryptsLists?: boolean;
  /** Variables of production that the token may not see, as the API counts them. */
  readonly hidden?: number;
  /** The list says that another page follows. */
  readonly paged?: boolean;
}

/**
 * The part of Vercel's REST API that varTrack speaks, made from the schemas of Vercel's own SDK: what they do not know is refused and remembered.
 * There is no such server to install; what the API documents and the schemas cannot say (limits, conflicts, who may do what) is in `vercel/project.ts`.
 */
export async function startVercel(behaviour: VercelBehaviour = {}): Promise<VercelServer> {
  const projects = new Map<string, Project>();
  const violations: string[] = [];
  const secret = randomBytes(8).toString('hex');
  const teamId = 'team_acme';
  const token = (role: VercelRole): string => `${role}-${secret}`;
  const hookPath = `/v1/integrations/deploy/prj_hook/${secret}`;
  let deployments = 0;
  const calls = new Map<string, number[]>();

  function limited(bucket: string, limit: number, windowMs: number): number | null {
    const since = (calls.get(bucket) ?? []).filter((at) => at > Date.now() - windowMs);
    calls.set(bucket, since);
    if (since.length >= limit) return (since[0] ?? 0) + windowMs;
    since.push(Date.now());
    return null;
  }

  async function answer(request: IncomingMessage): Promise<readonly [status: number, body: unknown]> {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const text = await textOf(request);
    if (request.method === 'POST' && url.pathname === hookPath) {
      deployments++;
      return [201, { job: { id: 'job', state: 'PENDING', createdAt: Date.now() } }];
    }
    const [, bearer = ''] = /^Bearer (.*)$/.exec(request.headers.authorization ?? '') ?? [];
    const role = (['admin', 'reader', 'nobody'] as const).find((each) => token(each) === bearer);
    if (!role) return refusal(403, 'forbidden', 'Not authorized', { invalidToken: true });
    const query = Object.fromEntries(url.searchParams);
    if (query['teamId'] !== undefined && query['teamId'] !== teamId) return refusal(403, 'forbidden', 'You do not have permission to access this team.');
    const isDelete = request.method === 'DELETE';
    if (behaviour.limits) {
      const { requests, deletes, windowMs } = behaviour.limits;
      const reset = limited(bearer, requests, windowMs) ?? (isDelete ? limited(`${bearer} deletes`, deletes, windowMs) : null);
      if (reset !== null)
        return refusal(429, 'rate_limited', 'Too many requests', { limit: { total: requests, remaining: 0, reset: Math.ceil(reset / 1000) } });
    }
    const route = /^\/(v\d+)\/projects\/([^/]+)\/env(?:\/([^/]+))?$/.exec(url.pathname);
    if (!route) return refusal(404, 'not_found', 'Not found');
    const [, version = '', name = '', id] = route;
    const idOrName = decodeURIComponent(name);
    if (role === 'nobody') return refusal(403, 'forbidden', `You don't have permission to list the env vars of ${idOrName}.`);
    if (role === 'reader' && request.method !== 'GET') return refusal(403, 'forbidden', "You don't have permission to change env vars.");
    const project = projects.get(idOrName);
    if (!project) return refusal(404, 'not_found', 'Project not found.');
    return handle(`${request.method} ${version}${id === undefined ? '' : ' one'}`, project, { ...query, idOrName, ...(id === undefined ? {} : { id }) }, text);
  }

  function handle(what: string, project: Project, given: Given, text: string): readonly [status: number, body: unknown] {
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    const request = body === undefined ? given : { ...given, requestBody: body };
    const one = project.variables.get(given.id ?? '');
    switch (what) {
      case 'GET v10': {
        const { decrypt, gitBranch } = checkedRequest(FilterProjectEnvsRequest$outboundSchema, given);
        const found = [...project.variables.values()].filter((each) => gitBranch === undefined || each.gitBranch === gitBranch);
        const shown = decrypt === 'true' && behaviour.decryptsLists !== false;
        const envs = found.map((each) => ({ ...visible(each, shown), securityIssues: [] }));
        const rest =
          behaviour.paged === true ? { pagination: { count: envs.length, next: 1, prev: null } } : { hiddenProductionEnvCount: behaviour.hidden ?? 0 };
        return [200, checkedAnswer(FilterProjectEnvsResponseBody$inboundSchema, { envs, ...rest })];
      }
      case 'GET v1 one':
        checkedRequest(GetProjectEnvRequest$outboundSchema, given);
        return one ? [200, checkedAnswer(GetProjectEnvResponseBody$inboundSchema, visible(one, true))] : refusal(404, 'NOT_FOUND', 'Not found');
      case 'POST v10': {
        const { requestBody, upsert } = checkedRequest(CreateProjectEnvRequest$outboundSchema, request as Given & { requestBody: unknown });
        const outcomes = (Array.isArray(requestBody) ? (requestBody as Draft[]) : [requestBody as Draft]).map((draft) =>
          attempt(() => project.create(draft, upsert === 'true')),
        );
        const created = outcomes.flatMap((each) => (each instanceof Refusal ? [] : [visible(each, false)]));
        const failed = outcomes.flatMap((each) => (each instanceof Refusal ? [{ error: failureOf(each) }] : []));
        return [201, checkedAnswer(CreateProjectEnvResponseBody$inboundSchema, { created, failed })];
      }
      case 'PATCH v9 one': {
        const { requestBody } = checkedRequest(EditProjectEnvRequest$outboundSchema, request as Given & { requestBody: unknown });
        const edited = attempt(() => project.edit(given.id ?? '', requestBody as Partial<Draft>));
        if (edited instanceof Refusal) return refusal(edited.code === 'NOT_FOUND' ? 404 : 400, edited.code, edited.message);
        return [200, checkedAnswer(EditProjectEnvResponseBody$inboundSchema, visible(edited, false))];
      }
      case 'DELETE v1': {
        const { requestBody } = checkedRequest(
          BatchRemoveProjectEnvRequest$outboundSchema,
          request as Given & { requestBody: { readonly ids: readonly string[] } },
        );
        const ids = requestBody.ids.filter((each) => project.remove(each) !== undefined);
        return [200, checkedAnswer(BatchRemoveProjectEnvResponseBody$inboundSchema, { deleted: ids.length, ids })];
      }
      default:
        throw new ContractViolation(`the API has no ${what}`);
    }
  }

  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    answer(request)
      .catch((error: unknown) => {
        // Half a request, of a client that went away, breaks nothing.
        if (request.complete) violations.push(error instanceof Error ? error.message : String(error));
        return refusal(error instanceof ContractViolation ? 400 : 500, 'bad_request', 'not what the API is called like');
      })
      .then(([status, body]) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)))
      .catch(() => response.destroy());
  });
  const listen = (port: number): Promise<void> => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;

  return {
    url,
    teamId,
    token,
    project: (name) => {
      const project = projects.get(name) ?? createProject();
      projects.set(name, project);
      return project;
    },
    deployments: () => deployments,
    deployHook: `${url}${hookPath}`,
    outage: { begin: close, end: () => listen(port) },
    stop: async () => {
      await close();
      if (violations.length > 0) throw new Error(`requests or answers that the SDK's schemas do not know: ${violations.join('; ')}`);
    },
  };
}

interface Given extends Readonly<Record<string, string>> {
  readonly idOrName: string;
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
  return text;
}

function attempt(work: () => StoredVariable): StoredVariable | Refusal {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** Values of sensitive variables never leave the API; those of encrypted ones only where they were asked for. */
function visible(variable: StoredVariable, decrypted: boolean): object {
  const { target, value, type } = variable;
  const readable = type === 'plain' || type === 'system' || (type === 'encrypted' && decrypted);
  const shown = readable ? value : type === 'sensitive' ? '' : `eyJ2IjoidjIi${randomBytes(12).toString('base64')}`;
  return { ...variable, target: [...target], value: shown, decrypted: readable && type === 'encrypted' };
}

function failureOf({ code, message, variable }: Refusal): object {
  const { key, gitBranch, target = [] } = variable;
  return { code, message, key, envVarKey: key, target, ...(typeof gitBranch === 'string' ? { gitBranch } : {}) };
}

function refusal(status: number, code: string, message: string, more: object = {}): readonly [number, unknown] {
  return [status, { error: { code, message, ...more } }];
}
