import type { VercelCore } from '@vercel/sdk/core.js';
import type { projectsBatchRemoveProjectEnv } from '@vercel/sdk/funcs/projectsBatchRemoveProjectEnv.js';
import type { projectsCreateProjectEnv } from '@vercel/sdk/funcs/projectsCreateProjectEnv.js';
import type { projectsEditProjectEnv } from '@vercel/sdk/funcs/projectsEditProjectEnv.js';
import type { projectsFilterProjectEnvs } from '@vercel/sdk/funcs/projectsFilterProjectEnvs.js';
import type { projectsGetProjectEnv } from '@vercel/sdk/funcs/projectsGetProjectEnv.js';

/** The functions of the SDK that the sink needs, with sockets of their own. */
export interface Sdk {
  coreFor(token: string, serverURL: string): VercelCore;
  readonly list: typeof projectsFilterProjectEnvs;
  readonly get: typeof projectsGetProjectEnv;
  readonly create: typeof projectsCreateProjectEnv;
  readonly edit: typeof projectsEditProjectEnv;
  readonly remove: typeof projectsBatchRemoveProjectEnv;
  close(): Promise<void>;
}

/** Loads the functions one by one: the SDK as a whole is hundreds of modules. */
export async function loadSdk(): Promise<Sdk> {
  const [core, http, list, get, create, edit, remove, undici] = await Promise.all([
    import('@vercel/sdk/core.js'),
    import('@vercel/sdk/lib/http.js'),
    import('@vercel/sdk/funcs/projectsFilterProjectEnvs.js'),
    import('@vercel/sdk/funcs/projectsGetProjectEnv.js'),
    import('@vercel/sdk/funcs/projectsCreateProjectEnv.js'),
    import('@vercel/sdk/funcs/projectsEditProjectEnv.js'),
    import('@vercel/sdk/funcs/projectsBatchRemoveProjectEnv.js'),
    import('undici'),
  ]);
  const agent = new undici.Agent();
  // Node's own fetch takes a dispatcher, which its types do not say.
  const dispatching: object = { dispatcher: agent };
  const httpClient = new http.HTTPClient({ fetcher: (input, init) => fetch(input, { ...init, ...dispatching }) });
  return {
    coreFor: (bearerToken, serverURL) => new core.VercelCore({ bearerToken, serverURL, httpClient }),
    list: list.projectsFilterProjectEnvs,
    get: get.projectsGetProjectEnv,
    create: create.projectsCreateProjectEnv,
    edit: edit.projectsEditProjectEnv,
    remove: remove.projectsBatchRemoveProjectEnv,
    close: () => agent.destroy(),
  };
}
