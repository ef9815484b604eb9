import { expect, test } from 'vitest';
import { startVercel } from './vercel.ts';

const variable = { key: 'HOST', value: 'db1', type: 'encrypted', target: ['production'] };

test('what the schemas of the SDK do not know is refused, and fails the test that sent it', async () => {
  const server = await startVercel();
  server.project('acme');
  const post = async (body: unknown) => {
    const headers = { authorization: `Bearer ${server.token('admin')}`, 'content-type': 'application/json' };
    const answer = await fetch(`${server.url}/v10/projects/acme/env`, { method: 'POST', headers, body: JSON.stringify(body) });
    await answer.text();
    return answer.status;
  };
  expect(await post([variable])).toBe(201);
  expect(await post([{ ...variable, type: 'secret' }])).toBe(400);
  expect(await post([{ ...variable, target: ['staging'] }])).toBe(400);
  expect(await post([{ ...variable, note: 'x' }])).toBe(400);
  expect(server.project('acme').variables.size).toBe(1);
  await expect(server.stop()).rejects.toThrow('the request has fields that the SDK does not know');
});

test('limits are told with the time of their end, in a window that slides', async () => {
  const server = await startVercel({ limits: { requests: 2, deletes: 1, windowMs: 200 } });
  server.project('acme');
  const list = () => fetch(`${server.url}/v10/projects/acme/env?decrypt=true`, { headers: { authorization: `Bearer ${server.token('reader')}` } });
  expect([(await list()).status, (await list()).status]).toEqual([200, 200]);
  const refused = await list();
  expect(refused.status).toBe(429);
  const { error } = (await refused.json()) as { readonly error: { readonly limit: { readonly reset: number } } };
  expect(error.limit.reset * 1000).toBeGreaterThanOrEqual(Date.now());
  await expect.poll(async () => (await list()).status, { interval: 50 }).toBe(200);
  await server.stop();
});
