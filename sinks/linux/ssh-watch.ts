import type { ClientChannel } from 'ssh2';
import { SinkError } from '../errors.ts';
import { encodeRequest, type WatchRequest } from './shell.ts';
import { watchScript } from './watch-script.ts';

/**
 * Tells of changes as one inotifywait on the other machine sees them; resolves and throws as {@link Shell.watch} does. However it ends, the channel is closed,
 * and with its input the programs there end.
 */
export async function followInotifywait(channel: ClientChannel, request: WatchRequest): Promise<void> {
  const { files, root, onStanding, onChange, signal, timeoutMs } = request;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const spots = new Map<string, string[]>();
  const gates = new Set<string>();
  const said: string[] = [];
  let answered = 0;
  let rest = '';

  function take(line: string): void {
    const [word = '', path = ''] = splitOnce(line);
    const file = files[answered];
    if (word === 'fail') return reject(failureOf(path));
    if (file !== undefined) {
      answered++;
      if (word === 'gate') gates.add(path);
      else if (word === 'file') spots.set(path, [...(spots.get(path) ?? []), file]);
      else if (word !== 'none') reject(new SinkError('unavailable', 'the answer was cut off'));
    } else if (line === 'Watches established.') {
      clearTimeout(timer);
      // What was made after it had been looked for, and before it was watched for, is known only by another look.
      channel.write([...gates].map((gate) => `${gate}\n`).join(''));
      onStanding();
    } else if (line === 'again' || gates.has(line) || line.endsWith('/')) resolve();
    else if (line.startsWith('/')) spots.get(line)?.forEach(onChange);
    else if (said.length < MAX_SAID) said.push(line);
  }

  const timer = setTimeout(() => reject(new SinkError('unavailable', `it did not begin within ${timeoutMs / 1000} s`)), timeoutMs);
  const onAbort = (): void => resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  channel.setEncoding('utf8');
  channel.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(take);
  });
  channel.stderr.on('data', (chunk: Buffer) => said.length < MAX_SAID && said.push(chunk.toString('utf8')));
  channel.on('error', (cause: Error) => reject(new SinkError('unavailable', 'the connection was lost', { cause })));
  channel.on('close', () => reject(endOf(said)));
  const body = Buffer.from(`${files.join('\n')}\n\n`);
  channel.write(encodeRequest({ script: watchScript, header: { root }, body: [body], signal, timeoutMs }));
  if (signal.aborted) onAbort();
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    channel.removeAllListeners('data');
    channel.end();
    channel.close();
  }
}

const MAX_SAID = 20;

function splitOnce(line: string): readonly string[] {
  const space = line.indexOf(' ');
  return space < 0 ? [line] : [line.slice(0, space), line.slice(space + 1)];
}

function failureOf(code: string): SinkError {
  if (code === 'missing') return new SinkError('unsupported', 'inotifywait is missing there: install inotify-tools; until then targets are polled');
  if (code === 'no-root') return new SinkError('unavailable', 'the root of the sink does not exist');
  return new SinkError('unavailable', 'no directory of its places is there, or all are outside of the root');
}

/** It was not us who ended it. */
function endOf(said: readonly string[]): SinkError {
  const text = said.join('\n');
  const unsupported = (what: string): SinkError => new SinkError('unsupported', `${what}; until then targets are polled`);
  if (/upper limit on inotify watches|No space left/.test(text))
    return unsupported('there are too many watches there: raise fs.inotify.max_user_watches (sysctl)');
  if (/Too many open files|initialize inotify/.test(text)) return unsupported('too many programs watch there: raise fs.inotify.max_user_instances (sysctl)');
  if (/Permission denied/.test(text)) return unsupported('a directory may not be listed by the user of the sink; let it read the directory');
  return new SinkError('unavailable', 'it ended; the connection or the program was lost');
}
