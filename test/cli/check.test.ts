import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCheck } from '../../cli/check.ts';
import { fakeSinks } from '../clients/fake-sinks.ts';

const good = `apiVersion: vartrack.dev/v1
tenants:
  acme:
    repositories: { config: { provider: github, url: https://github.com/acme/config.git } }
    sinks: { cache: { kind: redis, url: redis://cache } }
    rules:
      settings:
        from: { repository: config, files: [base.yaml, "{env}.yaml?"] }
        environments: { branches: { main: production, "release/*": rc }, pullRequests: "pr-{number}" }
        schema: { file: settings.cue, definition: "#Settings" }
        to: [{ sink: cache, place: "acme:{env}" }]
`;

describe('vartrack check', () => {
  let directory: string;
  let path: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'check-'));
    path = join(directory, 'vartrack.yaml');
  });

  afterAll(async () => {
    await rm(directory, { recursive: true });
  });

  test('says what a good bundle means', async () => {
    await writeFile(path, good);
    expect(await runCheck(path, { sinks: fakeSinks })).toMatchObject({
      exit: 'ok',
      text: `${path}: valid: 1 tenant, 1 repository, 1 sink, 1 rule

tenant acme
  repositories: config
  sinks: cache (redis)
  rule settings: base.yaml, {env}.yaml? of config, schema settings.cue #Settings
    branch main → production
      cache: acme:production
    branch release/* → rc
      cache: acme:rc
    a pull request → pr-…
      cache: acme:pr-…
`,
    });
  });

  test('says the same as JSON', async () => {
    await writeFile(path, good);
    const { exit, json } = await runCheck(path, { sinks: fakeSinks });
    expect(exit).toBe('ok');
    expect(json).toMatchObject({
      valid: true,
      tenants: [
        {
          rules: [
            { name: 'settings', routes: [{ ref: 'branch main', environment: 'production', targets: [{ sink: 'cache', place: 'acme:production' }] }, {}, {}] },
          ],
        },
      ],
    });
  });

  test('prints every problem with its place, and fails', async () => {
    await writeFile(path, good.replace('provider: github', 'provider: hub').replace('acme:{env}', 'acme'));
    expect(await runCheck(path, { sinks: fakeSinks })).toMatchObject({
      exit: 'rejected',
      text: `${path}:4:41 tenants.acme.repositories.config.provider: write one of github, gitlab, gitea, forgejo, bitbucket, generic
${path}:11:36 tenants.acme.rules.settings.to.0.place: is one place for the environments production (branch main) and rc (branch release/*); write {env} into it
2 problems
`,
    });
    const { exit, json } = await runCheck(path, { sinks: fakeSinks });
    expect(exit).toBe('rejected');
    expect(json).toMatchObject({ valid: false, problems: [{ origin: { line: 4 } }, { origin: { line: 11 } }] });
  });

  test('fails for a bundle that is not there, naming it', async () => {
    expect(await runCheck(join(directory, 'absent.yaml'))).toMatchObject({ exit: 'rejected', text: expect.stringContaining('absent.yaml') });
  });

  test('knows the real kinds of sinks', async () => {
    await writeFile(path, good.replace('redis://cache', 'redis://cache:6379/0'));
    expect(await runCheck(path)).toMatchObject({ exit: 'ok' });
  });
});
