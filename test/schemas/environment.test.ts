import { describe, expect, it } from 'vitest';
import { apiEnvironmentSchema, cliEnvironmentSchema, parseEnvironment, workerEnvironmentSchema } from '../../schemas/environment.ts';

const parse = (env: Record<string, string>) => parseEnvironment(apiEnvironmentSchema, env);

describe('the environment of the api', () => {
  it('has defaults for everything', () => {
    expect(parse({})).toEqual({
      VARTRACK_BUNDLE: 'vartrack.yaml',
      LOG_LEVEL: 'info',
      VARTRACK_API_HOST: '0.0.0.0',
      VARTRACK_API_PORT: 8080,
      VARTRACK_METRICS_HOST: '127.0.0.1',
      VARTRACK_METRICS_PORT: 9464,
      VARTRACK_TASK_QUEUE: 'vartrack',
    });
  });

  it('takes an empty variable for an unset one', () => {
    expect(parse({ VARTRACK_API_PORT: '', VARTRACK_UI_URL: '', VARTRACK_CODEC_KEY: '' })).toMatchObject({ VARTRACK_API_PORT: 8080 });
  });

  it('takes a codec key of 32 bytes', () => {
    const key = Buffer.alloc(32, 7).toString('base64');
    expect(parse({ VARTRACK_CODEC_KEY: key })).toMatchObject({ VARTRACK_CODEC_KEY: key });
  });

  it('takes several codec keys with commas or line breaks, and says which one is wrong', () => {
    const keys = [1, 2, 3].map((byte) => Buffer.alloc(32, byte).toString('base64'));
    for (const separator of [',', ', ', '\n', '\n\n']) expect(parse({ VARTRACK_CODEC_KEY: keys.join(separator) })).toBeDefined();
    expect(() => parse({ VARTRACK_CODEC_KEY: `${keys[0]},canary` })).toThrow('environment variable VARTRACK_CODEC_KEY: key 2 of 2 must be 32 bytes in base64');
    expect(() => parse({ VARTRACK_CODEC_KEY: `${keys[0]},${keys[0]}` })).toThrow('lists a key twice');
    expect(() => parse({ VARTRACK_CODEC_KEY: ' , ' })).toThrow('holds no key');
  });

  it('takes a token for /codec only with a key', () => {
    const token = { VARTRACK_CODEC_TOKEN: 'x'.repeat(32) };
    expect(parse({ ...token, VARTRACK_CODEC_KEY: Buffer.alloc(32, 7).toString('base64') })).toMatchObject(token);
    expect(() => parse(token)).toThrow('environment variable VARTRACK_CODEC_TOKEN: switches /codec on, which needs VARTRACK_CODEC_KEY');
  });

  it.each([
    ['api', apiEnvironmentSchema],
    ['worker', workerEnvironmentSchema],
    ['command line', cliEnvironmentSchema],
  ])('starts no %s without a codec key where encryption is required', (_name, schema) => {
    const start = (env: Record<string, string>) => parseEnvironment<object>(schema, { VARTRACK_REQUIRE_ENCRYPTION: 'true', ...env });
    expect(() => start({})).toThrow('environment variable VARTRACK_REQUIRE_ENCRYPTION: is true, and there is no VARTRACK_CODEC_KEY');
    expect(start({ VARTRACK_CODEC_KEY: Buffer.alloc(32, 7).toString('base64') })).toMatchObject({ VARTRACK_REQUIRE_ENCRYPTION: 'true' });
    expect(start({ VARTRACK_REQUIRE_ENCRYPTION: 'false' })).toBeDefined();
  });

  it.each([
    ['VARTRACK_API_PORT', 'http'],
    ['VARTRACK_API_PORT', '70000'],
    ['VARTRACK_UI_URL', 'javascript:alert(1)'],
    ['LOG_LEVEL', 'loud'],
    ['VARTRACK_REQUIRE_ENCRYPTION', '1'],
    ['VARTRACK_CODEC_KEY', 'canary-not-base64!'],
    ['VARTRACK_CODEC_KEY', Buffer.from('canary').toString('base64')],
    ['VARTRACK_WEBHOOKS_PER_MINUTE', '0'],
    ['VARTRACK_CODEC_TOKEN', 'canary-too-short'],
    ['VARTRACK_CODEC_TOKEN', 'canary with spaces and thirty-two characters'],
  ])('refuses %s=%s, naming the variable', (name, value) => {
    expect(() => parse({ [name]: value })).toThrow(`environment variable ${name}`);
  });

  it('never quotes a value', () => {
    expect(() => parse({ VARTRACK_CODEC_KEY: 'canary' })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('canary') as string }) as Error,
    );
  });

  it('names everything that is wrong at once', () => {
    expect(() => parse({ VARTRACK_API_PORT: 'x', LOG_LEVEL: 'loud' })).toThrow(/LOG_LEVEL[^]*VARTRACK_API_PORT|VARTRACK_API_PORT[^]*LOG_LEVEL/);
  });
});
