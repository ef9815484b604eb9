import { describe, expect, it } from 'vitest';
import { namesRepository } from '../../../api/webhook/names-repository.ts';

const named = { fullName: 'acme/config', urls: ['https://git.acme.example/acme/config.git', 'git@git.acme.example:acme/config.git'] };

describe('a payload names the configured repository', () => {
  it.each([
    'https://git.acme.example/acme/config.git',
    'https://git.acme.example/acme/config',
    'https://GIT.acme.example/Acme/Config/',
    'ssh://git@git.acme.example:2222/acme/config.git',
    'git@git.acme.example:acme/config.git',
    'git.acme.example:/acme/config',
    'http://gitea:3000/acme/config.git',
    'file:///tmp/repositories/acme/config.git',
  ])('%s', (url) => expect(namesRepository(named, url)).toBe(true));

  it.each([
    'https://git.acme.example/acme/other.git',
    'https://git.acme.example/mallory/config.git',
    'https://git.acme.example/team/acme/config.git',
    'https://git.acme.example/acme/config.git.git',
    'git@git.acme.example:mallory/config',
    'file:///tmp/repositories/notacme/config.git',
  ])('and not %s', (url) => expect(namesRepository(named, url)).toBe(false));

  it('below a path of the server, by its URL', () => {
    const below = { fullName: 'acme/config', urls: ['https://acme.example/git/acme/config.git'] };
    expect(namesRepository(below, 'https://acme.example/git/acme/config')).toBe(true);
  });

  it('and not by a URL alone whose host is another', () => {
    expect(namesRepository({ fullName: '', urls: ['https://other.example/acme/config'] }, 'https://git.acme.example/acme/config')).toBe(false);
  });

  it('and never by an empty name', () => {
    expect(namesRepository({ fullName: '', urls: [''] }, 'https://git.acme.example/')).toBe(false);
  });
});
