import { readFile } from 'node:fs/promises';
import { InvalidInput } from '../domain/problem.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that hold a secret, and may name a file with it in place: `VARTRACK_CODEC_KEY_FILE=/run/secrets/codec-key`. */
const SECRETS = ['VARTRACK_CODEC_KEY', 'VARTRACK_CODEC_TOKEN', 'VARTRACK_API_TOKEN'] as const;

/** The environment with what is in those files. Throws InvalidInput that names variable and path, for every one that is wrong. */
export async function readSecretFiles(env: Environment): Promise<Environment> {
  const read: Record<string, string> = {};
  const problems: { message: string }[] = [];
  for (const name of SECRETS) {
    const path = env[`${name}_FILE`];
    if (path === undefined || path === '') continue;
    if (env[name] !== undefined && env[name] !== '') {
      problems.push({ message: `environment variable ${name}: it is set, and so is ${name}_FILE; set one of them` });
      continue;
    }
    try {
      read[name] = (await readFile(path, 'utf8')).trim();
      if (read[name] === '') problems.push({ message: `environment variable ${name}_FILE: ${path} is empty` });
    } catch (error) {
      const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
      problems.push({ message: `environment variable ${name}_FILE: ${path} cannot be read (${why})` });
    }
  }
  if (problems.length > 0) throw new InvalidInput(problems);
  return { ...env, ...read };
}
