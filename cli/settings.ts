import { userInfo } from 'node:os';
import { loadBundle } from '../clients/bundle.ts';
import { readSecretFiles } from '../clients/secret-files.ts';
import type { Bundle } from '../domain/bundle.ts';
import { cliEnvironmentSchema, parseEnvironment } from '../schemas/environment.ts';
import { sinkDefinitions } from '../sinks/registry.ts';

export interface CliSettings {
  readonly bundlePath: string;
  readonly bundle: Bundle;
  readonly codecKey: string | undefined;
  readonly taskQueue: string;
  readonly cacheDirectory: string | undefined;
}

/** The environment and the bundle as api and worker read them; `bundlePath` wins over VARTRACK_BUNDLE. */
export async function loadSettings(bundlePath: string | undefined): Promise<CliSettings> {
  const env = parseEnvironment(cliEnvironmentSchema, await readSecretFiles(process.env));
  const path = bundlePath ?? env.VARTRACK_BUNDLE;
  return {
    bundlePath: path,
    bundle: await loadBundle(path, sinkDefinitions),
    codecKey: env.VARTRACK_CODEC_KEY,
    taskQueue: env.VARTRACK_TASK_QUEUE,
    cacheDirectory: env.VARTRACK_CACHE_DIR,
  };
}

/** Who asks, for people: the user of the operating system, who may have no name in a container. */
export function currentUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
