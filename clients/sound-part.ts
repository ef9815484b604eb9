import type { z } from 'zod';

/**
 * A copy of a bundle's data without the entries that have issues, for the checks that need a well-formed bundle. A broken repository is replaced, so
 * that the rules that name it are not blamed; rules that write to a broken sink go with it.
 */
export function withoutBroken(data: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  if (!isMap(data)) return data;
  const copy = structuredClone(data);
  for (const [top, tenantName, section, name] of issues.map(({ path }) => path.map(String))) {
    if (top === undefined) continue;
    const tenants = copy['tenants'];
    const tenant = isMap(tenants) && tenantName !== undefined ? tenants[tenantName] : undefined;
    if (top !== 'tenants' || !isMap(tenants) || tenantName === undefined) removeTop(copy, top);
    else if (!isMap(tenant) || section === undefined || name === undefined) delete tenants[tenantName];
    else removeEntry(tenant, section, name);
  }
  return copy;
}

function removeTop(copy: Record<string, unknown>, field: string): void {
  if (field === 'apiVersion') copy[field] = 'vartrack.dev/v1';
  // What the settings would have been is unknown; the most permissive ones raise no false alarm.
  else if (field === 'settings') copy[field] = { allowFileRepositories: true, fingerprintKey: { env: 'UNKNOWN' } };
  else delete copy[field];
}

function removeEntry(tenant: Record<string, unknown>, section: string, name: string): void {
  // An open window is of no use to the other checks.
  if (section === 'freeze') {
    delete tenant[section];
    return;
  }
  const entries = tenant[section];
  if (!isMap(entries)) {
    delete tenant[section];
    return;
  }
  delete entries[name];
  if (section === 'repositories' && /^[a-z0-9-]+$/.test(name)) entries[name] = { provider: 'generic', url: 'https://repository.invalid/unknown.git' };
  if (section === 'sinks') removeRulesOf(tenant, name);
}

function removeRulesOf(tenant: Record<string, unknown>, sink: string): void {
  const rules = tenant['rules'];
  if (!isMap(rules)) return;
  for (const [name, rule] of Object.entries(rules)) {
    const to = isMap(rule) ? rule['to'] : undefined;
    if (Array.isArray(to) && to.some((destination) => isMap(destination) && destination['sink'] === sink)) delete rules[name];
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
