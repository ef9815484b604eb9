import { expect, test } from 'vitest';
import { SinkError } from '../../../sinks/errors.ts';
import { clientConfig, s3Options, systemOf } from '../../../sinks/s3/options.ts';

const reference = { env: 'X' };

test.each([
  [{ endpoint: 'https://user:pw@minio' }],
  [{ endpoint: 'https://minio/bucket' }],
  [{ endpoint: 'minio:9000' }],
  [{ endpoint: 'http://minio', ca: reference }],
  [{ credentials: { accessKeyId: reference } }],
  [{ credentials: { accessKeyId: 'AKIA', secretAccessKey: 'text' } }],
  [{ encryption: { type: 'AES256', keyId: 'k' } }],
  [{ region: '' }],
])('%j is refused', (options) => expect(s3Options.safeParse(options).success).toBe(false));

test('without credentials, those are used that the SDK finds', async () => {
  const config = await clientConfig(s3Options.parse({ region: 'eu-central-1' }), async () => 'x');
  expect(config).toMatchObject({ region: 'eu-central-1', forcePathStyle: false });
  expect('credentials' in config).toBe(false);
});

test('credentials are read when they are asked for, and for some minutes', async () => {
  const secrets: Record<string, string> = { I: 'first', S: 'secret' };
  const options = s3Options.parse({ credentials: { accessKeyId: { env: 'I' }, secretAccessKey: { env: 'S' } } });
  const { credentials } = await clientConfig(options, async (each) => ('env' in each ? (secrets[each.env] ?? '') : ''));
  if (typeof credentials !== 'function') throw new Error('credentials are asked for each time');
  secrets['I'] = 'second';
  const given = await credentials();
  expect(given).toMatchObject({ accessKeyId: 'second', secretAccessKey: 'secret' });
  expect((given.expiration?.getTime() ?? 0) - Date.now()).toBeLessThan(15 * 60_000);
});

test('a credential that cannot be read is told by its reference', async () => {
  const options = s3Options.parse({ credentials: { accessKeyId: { env: 'I' }, secretAccessKey: { env: 'S' } } });
  const { credentials } = await clientConfig(options, () => Promise.reject(new Error('environment variable I is not set')));
  if (typeof credentials !== 'function') throw new Error('credentials are asked for each time');
  const error = await credentials().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SinkError);
  expect(String(error)).toContain('environment variable I is not set');
});

test('regions are one system, for a bucket has one name in all of them; servers are each their own', () => {
  const named = (options: object) => systemOf(s3Options.parse(options));
  expect(named({ region: 'eu-west-1' })).toBe(named({ region: 'us-east-1' }));
  expect(named({ endpoint: 'http://a:1' })).not.toBe(named({ endpoint: 'http://b:1' }));
  expect(named({ endpoint: 'http://a:1/' })).toBe(named({ endpoint: 'http://a:1' }));
});
