import { createHash, randomBytes } from 'node:crypto';
import { decideRestore, decodeLedger, encodeLedger, intentLedger, restoredLedger, type Ledger } from '../../domain/ledger.ts';
import { removesPlace, type LiveState, type RenderedEntry, type WritePlan } from '../../domain/plan.ts';
import { SinkError } from '../errors.ts';
import type { Place, Receipt, Sink, SinkContext } from '../sink.ts';
import type { LinuxFields } from '../linux.ts';
import { readDocument, writeDocument } from '../leaf-document.ts';
import { CommandFailure, parseReply, type Reply } from './reply.ts';
import { applyScript, readScript, restoreScript } from './scripts.ts';
import { MAX_FILE_BYTES, type Shell } from './shell.ts';
import { watchFiles } from './watch.ts';

export interface LinuxSinkOptions {
  /** Nothing outside of it is touched, whatever links say; the whole file system if not given. */
  readonly root?: string | undefined;
  /** Limit of one call, without the time of the user's commands. */
  readonly timeoutMs: number;
}

// A read that meets a write is asked again; more than this many in a row is a file that somebody rewrites all the time.
const MAX_ATTEMPTS = 5;

/** Files on the machine that `shell` reaches. */
export function createLinuxSink(shell: Shell, options: LinuxSinkOptions): Sink {
  const where = (place: Place): string => [shell.host, place.name].filter(Boolean).join(' ');

  async function call(place: Place<LinuxFields>, context: SinkContext, script: string, header: Header, body: readonly Uint8Array[] = []): Promise<Reply> {
    if (context.signal.aborted) throw new SinkError('unavailable', `${where(place)}: the call was cancelled`);
    const { fields, name } = place;
    const slash = name.lastIndexOf('/');
    const commands = script === applyScript ? 2 : script === restoreScript ? 1 : 0;
    const result = await shell
      .run({
        script,
        header: {
          dir: name.slice(0, slash),
          file: name.slice(slash + 1),
          root: options.root ?? '',
          max: MAX_FILE_BYTES,
          id: randomBytes(8).toString('hex'),
          limit: Math.ceil(fields.commandTimeoutMs / 1000),
          reload: fields.reload ?? '',
          ...header,
        },
        body,
        signal: context.signal,
        timeoutMs: options.timeoutMs + commands * fields.commandTimeoutMs,
      })
      .catch((error: unknown) => {
        if (error instanceof SinkError) throw new SinkError(error.reason, `${where(place)}: ${error.message}`, { cause: error.cause });
        throw new SinkError('unavailable', `${where(place)}: the shell failed`, { cause: error });
      });
    return parseReply(result, where(place));
  }

  /** Content, ledger and undo record as they stood at one moment. */
  async function look(place: Place<LinuxFields>, context: SinkContext, undone: 0 | 1): Promise<Sight> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const sight = sightOf(await call(place, context, readScript, { undone }), where(place));
      if (sight) return sight;
    }
    throw new SinkError('unavailable', `${where(place)}: it was rewritten while it was read, ${MAX_ATTEMPTS} times`);
  }

  async function read(place: Place<LinuxFields>, context: SinkContext): Promise<LiveState> {
    const sight = await look(place, context, 0);
    const content = sight.content && readDocument(sight.content, place.name, place.fields.layout, MAX_FILE_BYTES);
    const entries = content && 'leaves' in content ? [...content.leaves.values()] : [];
    return {
      exists: sight.content !== null,
      entries: new Map(entries.map((entry) => [entry.key, entry.text])),
      ledger: sight.ledger && ledgerOf(sight.ledger, where(place)),
      version: versionOf(sight),
      ...(content && 'corrupt' in content ? { corrupt: content.corrupt } : {}),
    };
  }

  async function apply(place: Place<LinuxFields>, plan: WritePlan, context: SinkContext): Promise<Receipt> {
    const { fields } = place;
    // A plan that moves the ledger only leaves the file, its inode and the service that reads it alone.
    const touched = plan.content === 'write' || removesPlace(plan);
    const content = plan.content === 'write' ? writeDocument(plan.entries, await keptOf(place, plan, context), fields.layout) : Buffer.alloc(0);
    if (content.length > MAX_FILE_BYTES) throw tooLarge(content.length, where(place));
    const intent = Buffer.from(encodeLedger(intentLedger(plan.ledger, plan.base.ledger)));
    const ledger = Buffer.from(encodeLedger(plan.ledger));
    const [baseContent = '', baseLedger = ''] = plan.base.version.split(' ');
    const header = {
      content_size: content.length,
      content_sum: digest(content),
      intent_size: intent.length,
      intent_sum: digest(intent),
      ledger_size: ledger.length,
      ledger_sum: digest(ledger),
      base_content: baseContent,
      base_ledger: baseLedger,
      generation: plan.ledger.generation,
      touched: touched ? 1 : 0,
      remove: plan.content === 'remove' ? 1 : 0,
      inherit: plan.base.ledger?.state === 'intent' ? plan.base.ledger.generation : 0,
      create: fields.createDirectories ? 1 : 0,
      new_mode: fields.mode,
      new_owner: fields.owner ?? '',
      validate: plan.content === 'write' ? (fields.validate ?? '') : '',
    };
    try {
      await call(place, context, applyScript, header, [content, intent, ledger]);
    } catch (error) {
      throw withCommandOutput(error, [content.toString('utf8'), ...plan.entries.map((entry) => entry.text)]);
    }
    return { generation: plan.ledger.generation, writes: plan.puts.length + plan.deletes.length };
  }

  /** The entries that the plan leaves in the file, as the plan saw them. */
  async function keptOf(place: Place<LinuxFields>, plan: WritePlan, context: SinkContext): Promise<readonly RenderedEntry[]> {
    if (plan.kept.length === 0) return [];
    const sight = await look(place, context, 0);
    const content = sight.content && readDocument(sight.content, place.name, place.fields.layout, MAX_FILE_BYTES);
    if (versionOf(sight) !== plan.base.version || !content || !('leaves' in content)) throw moved(where(place));
    return plan.kept.map((key) => content.leaves.get(key) ?? raise(moved(where(place))));
  }

  async function restore(place: Place<LinuxFields>, generation: number, context: SinkContext): Promise<Receipt> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const sight = await look(place, context, 1);
      const current = sight.ledger && ledgerOf(sight.ledger, where(place));
      const decision = decideRestore(current, generation);
      if (decision === 'nothing-to-undo' || !current) return { generation: current?.generation ?? 0, writes: 0 };
      if (decision === 'conflict') throw moved(where(place));
      const before = sight.undo && undoneLedger(sight.undo, where(place));
      const ledger = restoredLedger(current, before);
      const body = Buffer.from(encodeLedger(ledger));
      try {
        await call(place, context, restoreScript, { generation, base_ledger: digestOrAbsent(sight.ledger), ledger_size: body.length }, [body]);
        return { generation: ledger.generation, writes: changesOf(current, before) };
      } catch (error) {
        // Somebody else may have undone it in between: then this is done too.
        if (!(error instanceof SinkError && error.reason === 'conflict') || attempt === MAX_ATTEMPTS - 1) throw error;
        const now = await look(place, context, 0);
        if (digestOrAbsent(now.ledger) === digestOrAbsent(sight.ledger)) throw error;
      }
    }
    throw moved(where(place));
  }

  return {
    read: (place, context) => read(place as Place<LinuxFields>, context),
    apply: (place, plan, context) => apply(place as Place<LinuxFields>, plan, context),
    restore: (place, generation, context) => restore(place as Place<LinuxFields>, generation, context),
    watch: (places, onChange, signal) => watchFiles(shell, options, places, onChange, signal),
    close: () => shell.close(),
  };
}

type Header = Readonly<Record<string, string | number>>;

interface Sight {
  readonly content: Buffer | null;
  readonly ledger: Buffer | null;
  /** First two lines of the undo record. */
  readonly undo: Buffer | null;
}

/** Null where the parts do not belong together: somebody wrote in between. */
function sightOf({ lines }: Reply, where: string): Sight | null {
  const [content, ledger, again] = [lines.get('content'), lines.get('ledger'), lines.get('again')];
  if (content === undefined || ledger === undefined || again === undefined) throw new SinkError('unavailable', `${where}: the answer is not complete`);
  const sight = { content: bytesOf(content), ledger: bytesOf(ledger), undo: bytesOf(lines.get('undo') ?? 'absent') };
  return again === digestOrAbsent(sight.ledger) ? sight : null;
}

function bytesOf(text: string): Buffer | null {
  return text === 'absent' ? null : Buffer.from(text, 'base64');
}

function versionOf({ content, ledger }: Sight): string {
  return `${digestOrAbsent(content)} ${digestOrAbsent(ledger)}`;
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function digestOrAbsent(bytes: Uint8Array | null): string {
  return bytes ? digest(bytes) : 'absent';
}

function ledgerOf(bytes: Buffer, where: string): Ledger {
  try {
    return decodeLedger(bytes.toString('utf8'));
  } catch (error) {
    const why = error instanceof TypeError ? error.message : 'it cannot be read';
    throw new SinkError('rejected', `${where}: ${why} (.<file>.vartrack beside the file); put it right, or remove it and the file`);
  }
}

/** The ledger in an undo record: its second line, empty if there was none. */
function undoneLedger(undo: Buffer, where: string): Ledger | null {
  const [head = '', line, end] = undo.toString('latin1').split('\n');
  if (!head.startsWith('vartrack-undo 1 ') || line === undefined || end === undefined) {
    throw new SinkError('rejected', `${where}: the undo record beside the file is damaged; put the file right by hand`);
  }
  return line === '' ? null : ledgerOf(Buffer.from(line, 'base64'), where);
}

function changesOf(current: Ledger, before: Ledger | null): number {
  const names = new Set([...Object.keys(current.keys), ...Object.keys(before?.keys ?? {})]);
  return [...names].filter((name) => current.keys[name] !== before?.keys[name]).length;
}

/** Shows the last words of a failed command without any of the values of the file that it was about. */
function withCommandOutput(error: unknown, texts: readonly string[]): unknown {
  if (!(error instanceof CommandFailure) || error.said === '') return error;
  // By words, since a command may quote a part; names of keys go too, since a value may be one.
  const words = new Set(texts.flatMap((text) => text.split(/[\s"'=:,\\[\]{}]+/)).filter((word) => word.length >= 4));
  const said = [...words].toSorted((a, b) => b.length - a.length).reduce((text, word) => text.replaceAll(word, '***'), error.said);
  return new SinkError('rejected', `${error.message}; it said: ${said}`);
}

function moved(where: string): SinkError {
  return new SinkError('conflict', `${where}: the file or its ledger changed since it was read`);
}

function tooLarge(bytes: number, where: string): SinkError {
  return new SinkError('too-large', `${where}: the file would have ${bytes} bytes, above the limit of ${MAX_FILE_BYTES}`);
}

function raise(error: Error): never {
  throw error;
}
