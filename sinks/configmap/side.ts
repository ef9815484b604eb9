import { SinkError } from '../errors.ts';
import type { Changes, ConfigMap, ConfigMapPatch, ConfigMaps } from './config-maps.ts';
import { MAX_DATA_BYTES } from './content.ts';
import { labelOf, undoKey } from './look.ts';
import { DOMAIN, type PlaceNames } from './place-names.ts';

export const MANAGED_BY = 'app.kubernetes.io/managed-by';
export const OURS = 'vartrack';

/** Writes into the ConfigMap beside, making it where `seen` is null. Throws `conflict` if it moved. */
export async function writeSide(maps: ConfigMaps, names: PlaceNames, seen: ConfigMap | null, patch: ConfigMapPatch, signal: AbortSignal): Promise<ConfigMap> {
  if (seen) return maps.patch(names.side, seen, patch, signal);
  const { annotations } = patch.metadata;
  const about = { [`${DOMAIN}/beside`]: `${names.main.name}${names.file === null ? '' : `/${names.file}`}` };
  const metadata = { labels: { [MANAGED_BY]: OURS }, annotations: { ...withoutNulls(annotations), ...about } };
  return maps.create(names.side, { metadata, ...(patch.binaryData ? { binaryData: withoutNulls(patch.binaryData) } : {}) }, signal);
}

/** An undo record that is too large for an annotation. The one of the generation that stands stays until this write has taken place. */
export function undoBeside(
  names: PlaceNames,
  seen: ConfigMap | null,
  standing: number,
  next: { readonly generation: number; readonly packed: string },
): ConfigMapPatch {
  const kept = seen?.binaryData?.[undoKey(standing)] ?? '';
  const bytes = Buffer.byteLength(next.packed, 'base64') + Buffer.byteLength(kept, 'base64');
  if (bytes > MAX_DATA_BYTES) {
    const what = `what this write replaces has ${bytes} bytes when it is packed, above the ${MAX_DATA_BYTES} of a ConfigMap; change fewer keys at once, or split it`;
    throw new SinkError('too-large', `${labelOf(names)}: ${what}`);
  }
  const old = Object.keys(seen?.binaryData ?? {}).filter((key) => key !== undoKey(standing));
  return { metadata: {}, binaryData: { ...Object.fromEntries(old.map((key) => [key, null])), [undoKey(next.generation)]: next.packed } };
}

function withoutNulls(changes: Changes = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(changes).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const])));
}
