import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCredentialResolver, CredentialError } from '../../clients/credentials.ts';

describe('credentials', () => {
  let directory: string;
  let resolve: ReturnType<typeof createCredentialResolver>;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'credentials-'));
    resolve = createCredentialResolver({ env: { TOKEN: 'abc', EMPTY: '' }, baseDirectory: directory });
  });

  afterAll(async () => {
    await rm(directory, { recursive: true });
  });

  test('come from the environment', async () => {
    await expect(resolve({ env: 'TOKEN' })).resolves.toBe('abc');
  });

  test.each(['NOT_THERE', 'EMPTY', 'toString'])('name the variable %s that has none', async (env) => {
    await expect(resolve({ env })).rejects.toThrow(CredentialError);
    await expect(resolve({ env })).rejects.toThrow(env);
  });

  test('come from a file beside the bundle, without its last line break, and are read anew', async () => {
    await writeFile(join(directory, 'key'), 'line 1\nline 2\n');
    await expect(resolve({ file: 'key' })).resolves.toBe('line 1\nline 2');
    await writeFile(join(directory, 'key'), 'rotated\r\n');
    await expect(resolve({ file: join(directory, 'key') })).resolves.toBe('rotated');
  });

  test('name the file that is not there, is no file or is empty', async () => {
    await writeFile(join(directory, 'empty'), '\n');
    await expect(resolve({ file: 'absent' })).rejects.toThrow(`${join(directory, 'absent')} cannot be read (ENOENT)`);
    await expect(resolve({ file: '.' })).rejects.toThrow('EISDIR');
    await expect(resolve({ file: 'empty' })).rejects.toThrow('is empty');
  });

  test('do not come from Vault', async () => {
    await expect(resolve({ vault: 'vault:a#b' })).rejects.toThrow('not available in this version');
  });
});
