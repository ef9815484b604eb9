import type { Bundle } from './bundle.ts';
import type { Problem } from './problem.ts';
import { formatPath, type Path } from './value.ts';

/** A credential of the bundle that a secret manager holds, and where the bundle asks for it. */
export interface VaultReference {
  readonly path: Path;
  readonly reference: string;
}

/** `manager:path#field` in its parts; null for any other text. A `#` may be part of the field. */
export function parseVaultReference(text: string): { readonly manager: string; readonly path: string; readonly field: string } | null {
  const [, manager, path, field] = /^([a-z0-9-]+):([^#\s]+)#(\S+)$/.exec(text) ?? [];
  return manager !== undefined && path !== undefined && field !== undefined ? { manager, path, field } : null;
}

/** The bundle with the tenant's name in each of its references: managers of two tenants may share a name. */
export function bindVaultReferences(bundle: Bundle): Bundle {
  const tenants = Object.entries(bundle.tenants).map(([name, tenant]) => [name, bound(tenant, name)] as const);
  return { ...bundle, tenants: Object.fromEntries(tenants) };
}

/** A problem for each reference to a manager that there is not, and for managers whose logins wait for each other. */
export function vaultReferenceProblems(bundle: Bundle): Problem[] {
  const inSettings = [...referencesIn(bundle.settings, ['settings'])].map(({ path }) => ({
    key: formatPath(path),
    message: 'belongs to no tenant, and only tenants have secret managers; write { env: NAME } or { file: path }',
  }));
  return [...inSettings, ...Object.keys(bundle.tenants).flatMap((name) => tenantProblems(bundle, name))];
}

function tenantProblems(bundle: Bundle, name: string): Problem[] {
  const managers = bundle.tenants[name]?.secretManagers ?? {};
  const references = [...referencesIn(bundle.tenants[name], ['tenants', name])];
  const problems: Problem[] = [];
  /** Which managers the login of a manager needs. */
  const needs = new Map<string, { readonly to: string; readonly path: Path }[]>();
  for (const { path, reference } of references) {
    const manager = parseVaultReference(reference)?.manager ?? '';
    if (!Object.hasOwn(managers, manager)) {
      const known = Object.keys(managers);
      const list = known.length > 0 ? `; it has: ${known.join(', ')}` : '; declare one in secretManagers';
      problems.push({ key: formatPath(path), message: `names a secret manager that the tenant does not have${list}` });
    } else if (path[2] === 'secretManagers') {
      const from = path[3] ?? '';
      needs.set(from, [...(needs.get(from) ?? []), { to: manager, path }]);
    }
  }
  for (const [from, edges] of needs) {
    for (const { to, path } of edges) {
      if (!reaches(needs, to, from)) continue;
      const message = from === to ? 'is held by the manager that it opens' : `is held by ${to}, whose own login needs ${from}`;
      problems.push({ key: formatPath(path), message: `${message}; write { env: NAME } or { file: path }` });
    }
  }
  return problems;
}

function reaches(needs: ReadonlyMap<string, readonly { readonly to: string }[]>, start: string, goal: string): boolean {
  const seen = new Set<string>();
  const open = [start];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (at === goal) return true;
    if (seen.has(at)) continue;
    seen.add(at);
    open.push(...(needs.get(at) ?? []).map(({ to }) => to));
  }
  return false;
}

function* referencesIn(value: unknown, path: Path): Generator<VaultReference> {
  const reference = referenceOf(value);
  if (reference !== null) yield { path, reference };
  if (typeof value !== 'object' || value === null) return;
  // Sink options stand in the bundle beside `kind`, not below `options`.
  const isSink = path.length === 4 && path[0] === 'tenants' && path[2] === 'sinks';
  for (const [name, child] of Object.entries(value)) yield* referencesIn(child, isSink && name === 'options' ? path : [...path, name]);
}

function bound<T>(value: T, tenant: string): T;
function bound(value: unknown, tenant: string): unknown {
  const reference = referenceOf(value);
  if (reference !== null) return { vault: reference, tenant };
  if (Array.isArray(value)) return value.map((item: unknown) => bound(item, tenant));
  // What a schema made of a text (a pattern, bytes) is no place for a reference.
  if (typeof value !== 'object' || value === null || !isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, bound(child, tenant)]));
}

/** A secret manager may be called vault as well, but is a map; and a label of that name is no reference by its form. */
function referenceOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1 || !('vault' in value)) return null;
  return typeof value.vault === 'string' && parseVaultReference(value.vault) ? value.vault : null;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
