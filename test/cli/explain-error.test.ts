import { expect, it } from 'vitest';
import { explainError } from '../../cli/explain-error.ts';
import { SecretError } from '../../clients/vault/secret-error.ts';

it('tells every secret that could not be had, and whether trying again may help', () => {
  const missing = new SecretError('missing', { manager: 'vault', address: { path: 'app/db', field: 'password' } }, 'no field password');
  missing.all = [missing, missing.at({ path: 'app/api', field: 'token' })];
  expect(explainError(missing)).toEqual({
    exit: 'rejected',
    message: 'secret manager vault, app/db#password: no field password\nsecret manager vault, app/api#token: no field password',
  });
  const away = new SecretError('unavailable', { manager: 'vault' }, 'it does not answer');
  expect(explainError(away)).toEqual({ exit: 'unexpected', message: 'secret manager vault: it does not answer' });
});
