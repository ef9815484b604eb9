import { createHash } from 'node:crypto';
import type { Address } from './config-maps.ts';

/** Everything that a place is called in the cluster. */
export interface PlaceNames {
  readonly main: Address;
  /** Data key of a document; null where the place is the keys of the ConfigMap. */
  readonly file: string | null;
  /** A ConfigMap of ours that holds the ledger while the main one is not there, and undo records that are too large for an annotation. */
  readonly side: Address;
  /** Names of annotations. */
  readonly ledger: string;
  readonly undo: string;
  /** On pod templates. */
  readonly digest: string;
}

export const DOMAIN = 'vartrack.dev';

/** `namespace/name` or, of layout `file`, `namespace/name/data-key`. */
export function placeNames(place: string, layout: string): PlaceNames {
  const [namespace = '', name = '', ...rest] = place.split('/');
  const file = layout === 'file' ? rest.join('/') : null;
  const suffix = file === null ? '' : `.${annotationName(file, 'ledger.'.length)}`;
  return {
    main: { namespace, name },
    file,
    side: { namespace, name: `${name}${file === null ? '' : `.${hash(file)}`}${SIDE}` },
    ledger: `${DOMAIN}/ledger${suffix}`,
    undo: `${DOMAIN}/undo${suffix}`,
    digest: `configmap.${DOMAIN}/${annotationName(file === null ? name : `${name}.${file}`, 0)}`,
  };
}

/** What is wrong with the name of a place, or null. */
export function placeNameProblem(place: string, layout: string): string | null {
  const steps = place.split('/');
  const [namespace = '', name = '', file = ''] = steps;
  if (steps.length !== (layout === 'file' ? 3 : 2)) {
    if (layout === 'file') return 'has to be namespace/name/file, with the data key that holds the document';
    return 'has to be namespace/name; for a document in one data key, write layout: file and namespace/name/file';
  }
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(namespace))
    return `${namespace} is no name of a namespace: lower-case letters, digits and dashes, at most 63`;
  if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name) || name.length > MAX_NAME)
    return `${name} is no name of a ConfigMap: lower-case letters, digits, dashes and dots, at most ${MAX_NAME}`;
  if (name.endsWith(SIDE)) return `names that end in ${SIDE} are kept for what varTrack needs beside a ConfigMap`;
  if (layout === 'file' && !isDataKey(file)) return `${file} is no data key: letters, digits, - . and _, at most 253, and not beginning with ..`;
  return null;
}

/** What Kubernetes takes as a key of `data`. */
export function isDataKey(key: string): boolean {
  return /^[-._a-zA-Z0-9]{1,253}$/.test(key) && key !== '.' && !key.startsWith('..');
}

const SIDE = '.vartrack';
const MAX_NAME = 253 - SIDE.length - 11;
const MAX_ANNOTATION_NAME = 63;

function annotationName(text: string, before: number): string {
  return text.length + before <= MAX_ANNOTATION_NAME && /^[A-Za-z0-9].*[A-Za-z0-9]$|^[A-Za-z0-9]$/.test(text) ? text : hash(text);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10);
}
