/** A place of kind helm, taken apart. */
export interface ReleaseName {
  readonly namespace: string;
  readonly release: string;
}

export function releaseName(place: string): ReleaseName {
  const slash = place.indexOf('/');
  return { namespace: place.slice(0, slash), release: place.slice(slash + 1) };
}

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const RELEASE = /^[a-z0-9]([-a-z0-9.]{0,51}[a-z0-9])?$/;

/** What is wrong with the name of a place, or null. */
export function placeNameProblem(place: string): string | null {
  const [namespace = '', release = '', ...more] = place.split('/');
  if (more.length > 0 || release === '') return 'write namespace/release';
  if (!NAMESPACE.test(namespace)) return `the namespace ${namespace} is not one: lower-case letters, digits and -, at most 63`;
  return RELEASE.test(release) && !/[.-]{2}|-\.|\.-/.test(release.replaceAll('--', '-'))
    ? null
    : `the release ${release} is not one: lower-case letters, digits, - and ., at most 53`;
}

/** Name of the Secret in which Helm keeps a revision; that it can be made only once is what orders writers. */
export function recordName(release: string, revision: number): string {
  return `sh.helm.release.v1.${release}.v${revision}`;
}
