import { expect, it } from 'vitest';
import { matchGlob } from '../../clients/glob.ts';
import { forbiddenSecrets } from '../../domain/forbidden-secrets.ts';

const origin = { file: 'settings/production.yaml', line: 3, column: 7 };
const at = (path: string, manager = 'vault') => ({ manager, path, field: 'x', key: 'db.password', origin });
const pathsOf = (secrets: readonly ReturnType<typeof at>[], paths?: readonly string[]) =>
  forbiddenSecrets(secrets, { vault: paths === undefined ? {} : { paths } }, matchGlob).map(({ message }) => /vault:(\S+);/.exec(message)?.[1]);

it('every path may be named where the bundle says nothing', () => {
  expect(pathsOf([at('app/db'), at('other')])).toEqual([]);
});

it('only what one of the globs matches may be named', () => {
  const secrets = ['app/db', 'app/deep/er', 'app', 'application/db', 'shared/tls', 'shared/tls/key'].map((path) => at(path));
  expect(pathsOf(secrets, ['app/**', 'shared/*'])).toEqual(['app', 'application/db', 'shared/tls/key']);
});

it('an empty list allows nothing', () => {
  expect(pathsOf([at('app/db')], [])).toEqual(['app/db']);
});

it('a refusal names path, globs, key and position', () => {
  expect(forbiddenSecrets([at('other/db')], { vault: { paths: ['app/**', 'shared/*'] } }, matchGlob)).toEqual([
    { message: 'the bundle does not allow vault:other/db; paths of the secret manager vault: app/**, shared/*', key: 'db.password', origin },
  ]);
});
