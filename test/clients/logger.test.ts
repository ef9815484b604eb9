import { describe, expect, it } from 'vitest';
import { createLogger } from '../../clients/logger.ts';

function logged(write: (logger: ReturnType<typeof createLogger>) => void, level?: string): string {
  let text = '';
  write(createLogger({ name: 'api', ...(level !== undefined && { level }), destination: { write: (line) => void (text += line) } }));
  return text;
}

describe('the log', () => {
  it.each(['authorization', 'token', 'password', 'secret', 'signature', 'body', 'x-gitlab-token', 'x-hub-signature-256', 'webhook-signature'])(
    'never has what is called %s, at any of four depths',
    (name) => {
      const text = logged((logger) => logger.info({ [name]: 'canary', a: { [name]: 'canary', b: { [name]: 'canary', c: { [name]: 'canary' } } } }, 'message'));
      expect(text).not.toContain('canary');
      expect(text.match(/\[redacted\]/g)).toHaveLength(4);
    },
  );

  it('is JSON lines with a level in words, a name and an ISO time', () => {
    const line = JSON.parse(logged((logger) => logger.warn({ tenant: 'acme' }, 'hello'))) as Record<string, unknown>;
    expect(line).toMatchObject({ level: 'warn', name: 'api', msg: 'hello', tenant: 'acme' });
    expect(new Date(String(line['time'])).toISOString()).toBe(line['time']);
  });

  it('leaves out what is below its level', () => {
    expect(logged((logger) => logger.info('quiet'), 'warn')).toBe('');
  });

  it('tells errors with message and stack', () => {
    expect(logged((logger) => logger.error({ err: new Error('broken') }))).toMatch(/"message":"broken","stack":"Error: broken/);
  });
});
