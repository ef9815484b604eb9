import { describe, expect, it } from 'vitest';
import { chooseStream, type RefChoice } from '../../cli/choose-stream.ts';
import { parseBundle } from '../../clients/bundle.ts';
import type { Bundle } from '../../domain/bundle.ts';
import { sinkDefinitions } from '../../sinks/registry.ts';

function bundleWith(environments: string, provider = 'github'): Bundle {
  const { bundle, problems } = parseBundle(
    `apiVersion: vartrack.dev/v1
tenants:
  acme:
    repositories: { config: { provider: ${provider}, url: https://example.com/acme/config.git } }
    sinks: { cache: { kind: redis, url: "redis://cache:6379/0" } }
    rules:
      settings:
        from: { repository: config, files: ["{env}.yaml"] }
        environments: ${environments}
        schema: none
        to: [{ sink: cache, place: "acme:{env}" }]
`,
    'vartrack.yaml',
    sinkDefinitions,
  );
  if (!bundle) throw new Error(JSON.stringify(problems));
  return bundle;
}

describe('the stream that a person means', () => {
  const all = bundleWith('{ branches: { main: production, "release/*": rc }, tags: { "v*": release }, pullRequests: "pr-{number}" }');
  const choose = (choice: RefChoice, bundle = all): { stream: string; event: unknown } => chooseStream(bundle, 'acme', 'config', choice);

  it('is a branch, a tag or a pull request', () => {
    expect(choose({ ref: 'release/2' })).toMatchObject({ stream: 'release/2', event: { kind: 'branch', name: 'release/2' } });
    expect(choose({ tag: 'v1.2' })).toMatchObject({ stream: 'tags:v*', event: { kind: 'tag', name: 'v1.2' } });
    expect(choose({ pullRequest: 42 })).toMatchObject({ stream: 'pr:42', event: { kind: 'pull-request', number: 42 } });
  });

  it('is the only branch with a name of its own where none is given', () => {
    expect(choose({})).toMatchObject({ stream: 'main' });
    expect(choose({}, bundleWith('{ paths: trunk }'))).toMatchObject({ stream: 'trunk' });
    expect(() => choose({}, bundleWith('{ branches: { main: production, develop: staging } }'))).toThrow(/which branch .* branch main, branch develop/);
    expect(() => choose({}, bundleWith('{ tags: { "v*": release } }'))).toThrow(/which branch .* tag v\*/);
  });

  it('needs the source branch for a pull request at Bitbucket', () => {
    const bitbucket = bundleWith('{ pullRequests: "pr-{number}" }', 'bitbucket');
    expect(() => choose({ pullRequest: 7 }, bitbucket)).toThrow(/source branch/);
    expect(choose({ pullRequest: 7, ref: 'topic' }, bitbucket)).toMatchObject({ stream: 'pr:7', event: { branch: 'topic' } });
  });

  it('is nothing that the bundle does not route, and no name of an object', () => {
    expect(() => choose({ ref: 'other' })).toThrow(/takes branch "other"/);
    expect(() => chooseStream(all, 'acme', 'constructor', {})).toThrow(/has no repository "constructor"/);
    expect(() => chooseStream(all, 'toString', 'config', {})).toThrow(/no tenant "toString"/);
  });
});
