import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

it('each test that docs/security.md names is there', async () => {
  const text = (await readFile(join(root, 'docs/security.md'), 'utf8')).replaceAll(/\n(?=\S)/g, ' ');
  const claims = [...text.matchAll(/`(test\/[\w./-]+\.ts)`: ([^;|`]+)/g)].map(([, file = '', rest = '']) => ({ file, rest }));
  expect(claims.length).toBeGreaterThan(40);
  const wrong: string[] = [];
  for (const { file, rest } of claims) {
    const source = await readFile(join(root, file), 'utf8').catch(() => '');
    // The name ends where the sentence around it goes on, so its beginning has to be enough to tell.
    const named = [...source.matchAll(/'((?:[^'\\\n]|\\.)+)'|`([^`\n]+)`/g)].map(([, quoted, template]) => quoted ?? template ?? '');
    const words = rest
      .trim()
      .replace(/^(I\d+): /, '$1: ')
      .split(' ')
      .slice(0, 4)
      .join(' ')
      .replace(/[).,]+$/, '');
    if (words === '' || !named.some((name) => name.includes(words))) wrong.push(`${file}: ${rest.trim()}`);
  }
  expect(wrong).toEqual([]);
});
