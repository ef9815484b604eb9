import { describe, expect, test } from 'vitest';
import { repositoryUrlProblem } from '../../schemas/repository.ts';

describe('URLs of repositories', () => {
  test.each([
    'https://host/a.git',
    'https://host:8443/a/b',
    'ssh://git@host:2222/a.git',
    'git@host:group/a.git',
    '/srv/a.git',
    'file:///srv/a.git',
    'http://localhost:3000/a',
  ])('%s is one', (url) => {
    expect(repositoryUrlProblem(url)).toBeNull();
  });

  test.each([
    '',
    'a',
    'a b',
    '-x',
    'https://',
    'javascript:x',
    'git://host/a',
    'http://10.0.0.1/a',
    'http://127.0.0.1.evil.example/a',
    'ssh://-oProxyCommand=x/a',
    'ssh://git:secret@host/a',
    'https://host/a\nb',
    'git@host:-x',
  ])('%j is none', (url) => {
    expect(repositoryUrlProblem(url)).not.toBeNull();
  });
});
