import { request as send } from 'node:https';
import { StringDecoder } from 'node:string_decoder';
import { SinkError } from '../errors.ts';
import type { Access } from './access.ts';
import { connectionError } from './connection-error.ts';

export interface StreamRequest {
  readonly label: string;
  readonly url: string;
  readonly accept: string;
  /** For the connection. */
  readonly connectTimeout: number;
  /** Until the answer begins. */
  readonly requestTimeout: number;
  /** With nothing heard for so long, the connection counts as lost. */
  readonly idleTimeout: number;
  readonly onOpen: () => void;
  readonly onLine: (line: string) => void;
}

/** `status` and, where it is not 200, the answer's text. */
export interface StreamEnd {
  readonly status: number;
  readonly text: string;
}

/** Events are without content: more is no event. */
const MAX_LINE_CHARACTERS = 8 * 1024 * 1024;

/** A request whose answer goes on for a while, a line for each thing that happens. Resolves when the server ends it as it should. */
export async function streamLines(asked: StreamRequest, given: Access['request'], signal: AbortSignal): Promise<StreamEnd> {
  const { label, url, accept, connectTimeout, requestTimeout, idleTimeout, onOpen, onLine } = asked;
  const { promise, resolve, reject } = Promise.withResolvers<StreamEnd>();
  const fail = (what: string): void => void call.destroy(new SinkError('unavailable', `${label}: ${what}`));
  const headers = { ...given.headers, accept, 'user-agent': 'varTrack' };
  const call = send(url, { ...given, method: 'GET', headers, signal }, (response) => {
    clearTimeout(connecting);
    clearTimeout(beginning);
    const status = response.statusCode ?? 0;
    // Networks drop connections without a word; the server's bookmarks are the sign of life of a quiet watch.
    call.setTimeout(idleTimeout, () => fail('nothing was heard of the watch any more'));
    const decoder = new StringDecoder('utf8');
    let rest = '';
    response.on('data', (chunk: Buffer) => {
      const lines = (rest + decoder.write(chunk)).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE_CHARACTERS) fail('the answer is no watch');
      if (status !== 200) rest = [...lines, rest].join('\n');
      else lines.filter((line) => line !== '').forEach(onLine);
    });
    response.on('error', reject);
    response.on('end', () => {
      if (response.complete) resolve({ status, text: rest });
      else reject(new SinkError('unavailable', `${label}: the connection was lost`));
    });
    if (status === 200) onOpen();
  });
  const connecting = setTimeout(() => fail('no answer in time'), connectTimeout);
  const beginning = setTimeout(() => fail('no answer in time'), requestTimeout);
  call.on('socket', (socket) => {
    // The other end may be gone for good while nothing is to be said for minutes.
    socket.setKeepAlive(true, KEEP_ALIVE_AFTER_MS);
    socket.once('secureConnect', () => clearTimeout(connecting));
  });
  call.on('error', reject);
  call.end();
  try {
    return await promise;
  } catch (error) {
    throw connectionError(label, error);
  } finally {
    clearTimeout(connecting);
    clearTimeout(beginning);
    call.destroy();
  }
}

const KEEP_ALIVE_AFTER_MS = 20_000;
