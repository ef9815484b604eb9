import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSecretFiles } from '../../clients/secret-files.ts';

describe('variables that name a file with a secret', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'vartrack-secret-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('give what is in the file, and leave everything else as it is', async () => {
    await writeFile(join(directory, 'keys'), 'one\ntwo\n');
    const env = { VARTRACK_CODEC_KEY_FILE: join(directory, 'keys'), VARTRACK_CODEC_TOKEN_FILE: '', LOG_LEVEL: 'info' };
    expect(await readSecretFiles(env)).toEqual({ ...env, VARTRACK_CODEC_KEY: 'one\ntwo' });
    expect(await readSecretFiles({ VARTRACK_CODEC_KEY: 'given' })).toEqual({ VARTRACK_CODEC_KEY: 'given' });
  });

  it('are told at once when files are missing or empty, or the secret is given twice', async () => {
    await writeFile(join(directory, 'empty'), '\n');
    const missing = { VARTRACK_CODEC_KEY_FILE: join(directory, 'none'), VARTRACK_CODEC_TOKEN_FILE: join(directory, 'empty') };
    await expect(readSecretFiles(missing)).rejects.toThrow(/VARTRACK_CODEC_KEY_FILE: \S+none cannot be read \(ENOENT\)[^]*TOKEN_FILE: \S+empty is empty/);
    await expect(readSecretFiles({ VARTRACK_CODEC_KEY: 'canary', VARTRACK_CODEC_KEY_FILE: 'x' })).rejects.toThrow(
      'environment variable VARTRACK_CODEC_KEY: it is set, and so is VARTRACK_CODEC_KEY_FILE; set one of them',
    );
  });
});
