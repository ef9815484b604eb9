import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { genericEventSchema } from '../../schemas/webhook/generic.ts';
import { bundleOf, repositoryOf, startApiUnderTest } from './api-under-test.ts';
import { SECRET } from './signed-delivery.ts';

const text = readFileSync(new URL('../../docs/webhooks.md', import.meta.url), 'utf8');

it('the command of docs/webhooks.md sends a webhook that is accepted', async () => {
  const api = await startApiUnderTest({ bundle: () => bundleOf({ config: repositoryOf('generic') }) });
  try {
    const env = { ...process.env, HOOK: `${api.server.url}/webhooks/acme/config`, ACME_WEBHOOK_SECRET: SECRET };
    const { stdout } = await promisify(execFile)('sh', ['-c', blockOf('sh')], { env });
    expect(JSON.parse(stdout)).toMatchObject({ status: 'accepted', stream: 'main' });
  } finally {
    await api.server.drain(0);
  }
});

it('every shape that docs/webhooks.md shows is one', () => {
  const shapes = blockOf('json').trim().split('\n');
  expect(shapes).toHaveLength(3);
  for (const shape of shapes) expect(() => genericEventSchema.parse(JSON.parse(shape))).not.toThrow();
});

function blockOf(language: string): string {
  return new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(text)?.[1] ?? '';
}
