import { gunzipSync, gzipSync } from 'node:zlib';
import { SinkError } from '../errors.ts';
import type { Labels } from './stored-ledger.ts';

/** One revision of a release, as Helm keeps it in a Secret. Statuses are Helm's: deployed, failed, superseded, uninstalled, pending-upgrade, … */
export interface ReleaseRecord {
  /** Name of the Secret. */
  readonly name: string;
  readonly revision: number;
  readonly status: string;
  readonly labels: Labels;
  readonly resourceVersion: string;
  /** What Helm stored, as the Secret holds it. */
  readonly packed: string;
  /** Unpacks it. Throws SinkError `rejected` where it cannot be. */
  content(): ReleaseContent;
}

export interface ReleaseContent {
  /** JSON text of the values that were given, without those of the chart. */
  readonly values: string;
  readonly description: string;
  readonly chart: { readonly name: string; readonly version: string };
  /** When Helm last began to work on it, as a time in milliseconds. */
  readonly at: number;
}

const MAX_UNPACKED_BYTES = 128 * 1024 * 1024;

/** The records in the API server's list of Secrets, oldest first. Throws SinkError `rejected` for a list that is not one (I3). */
export function recordsOf(list: unknown, where: string): readonly ReleaseRecord[] {
  const { items } = Object(list) as { items?: unknown };
  if (!Array.isArray(items)) throw new SinkError('rejected', `${where}: the API server's answer is no list of Secrets`);
  return items.map((item) => recordOf(item as Secret, where)).toSorted((a, b) => a.revision - b.revision);
}

interface Secret {
  readonly metadata?: { readonly name?: string; readonly labels?: Labels; readonly resourceVersion?: string };
  readonly data?: { readonly release?: string };
}

function recordOf({ metadata, data }: Secret, where: string): ReleaseRecord {
  const { name = '', labels = {}, resourceVersion = '' } = metadata ?? {};
  const revision = Number(/\.v([1-9]\d*)$/.exec(name)?.[1]);
  const status = labels['status'];
  if (!Number.isSafeInteger(revision) || status === undefined || resourceVersion === '') throw damaged(where, name);
  let content: ReleaseContent | undefined;
  return {
    name,
    revision,
    status,
    labels,
    resourceVersion,
    packed: data?.release ?? '',
    content: () => (content ??= contentOf(unpack(data?.release ?? '', where, name))),
  };
}

function contentOf(text: string): ReleaseContent {
  const { info = {}, config, chart = {} } = JSON.parse(text) as StoredRelease;
  return {
    values: JSON.stringify(config ?? {}),
    description: info.description ?? '',
    chart: { name: chart.metadata?.name ?? '', version: chart.metadata?.version ?? '' },
    at: Math.max(...[info.last_deployed, info.deleted].map((time) => Date.parse(time || '1970-01-01'))),
  };
}

interface StoredRelease {
  readonly info?: { readonly description?: string; readonly last_deployed?: string; readonly deleted?: string };
  readonly config?: Readonly<Record<string, unknown>> | null;
  readonly chart?: { readonly metadata?: { readonly name?: string; readonly version?: string } };
}

/** What the Secret of a record holds, with another status: what Helm would have written had it come to its end. */
export function withStatus(record: ReleaseRecord, status: string, where: string): string {
  const text = unpack(record.packed, where, record.name);
  // The first one stands in `info`, before anything that a person wrote; quotes inside of texts are escaped.
  const changed = text.replace(`"status":"${record.status}"`, `"status":"${status}"`);
  return Buffer.from(gzipSync(Buffer.from(changed)).toString('base64')).toString('base64');
}

function unpack(release: string, where: string, name: string): string {
  try {
    const packed = Buffer.from(Buffer.from(release, 'base64').toString('latin1'), 'base64');
    // Helm reads records that are not compressed, too.
    const bytes = packed[0] === 0x1f && packed[1] === 0x8b ? gunzipSync(packed, { maxOutputLength: MAX_UNPACKED_BYTES }) : packed;
    const text = bytes.toString('utf8');
    JSON.parse(text);
    return text;
  } catch {
    throw damaged(where, name);
  }
}

function damaged(where: string, name: string): SinkError {
  return new SinkError('rejected', `${where}: ${name} is not a record that Helm 3 or 4 wrote; put it right with helm, or remove it`);
}
