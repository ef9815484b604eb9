import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createBodyReader } from '../../api/read-body.ts';

function sending(headers: Record<string, string> = {}): PassThrough & IncomingMessage {
  return Object.assign(new PassThrough(), { headers }) as unknown as PassThrough & IncomingMessage;
}

const whole = (text: string) => {
  const request = sending();
  request.end(text);
  return request;
};

describe('reading bodies', () => {
  it('gives the bytes as they came', async () => {
    const request = sending();
    const read = createBodyReader({ maxBytes: 10, maxTotalBytes: 100 })(request, new EventEmitter());
    request.write('{"a"');
    request.end(':1}');
    expect(await read).toEqual({ kind: 'read', bytes: Buffer.from('{"a":1}') });
  });

  it('holds no more than the bound in all, and counts a body until its response is over', async () => {
    const readBody = createBodyReader({ maxBytes: 10, maxTotalBytes: 15 });
    const first = new EventEmitter();
    expect(await readBody(whole('0123456789'), first)).toMatchObject({ kind: 'read' });
    expect(await readBody(whole('0123456789'), new EventEmitter())).toEqual({ kind: 'busy' });
    first.emit('close');
    expect(await readBody(whole('0123456789'), new EventEmitter())).toMatchObject({ kind: 'read' });
  });

  it('makes room as soon as a body turns out too large, while it is still coming', async () => {
    const readBody = createBodyReader({ maxBytes: 10, maxTotalBytes: 12 });
    const request = sending();
    const read = readBody(request, new EventEmitter());
    request.write('01234567');
    request.write('89abc');
    await expect.poll(() => request.readableLength).toBe(0);
    expect(await readBody(whole('0123456789'), new EventEmitter())).toMatchObject({ kind: 'read' });
    request.end();
    expect(await read).toEqual({ kind: 'too-large' });
  });

  it('forgets what a refused or broken body held', async () => {
    const readBody = createBodyReader({ maxBytes: 10, maxTotalBytes: 12 });
    const request = sending();
    const [broken, refused] = [new EventEmitter(), new EventEmitter()];
    const read = readBody(request, broken);
    request.write('01234567');
    request.destroy();
    expect(await read).toEqual({ kind: 'aborted' });
    broken.emit('close');
    expect(await readBody(whole('0123456789abc'), refused)).toEqual({ kind: 'too-large' });
    expect(await readBody(whole('0123456789'), new EventEmitter())).toMatchObject({ kind: 'read' });
  });
});
