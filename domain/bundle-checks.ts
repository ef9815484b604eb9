import type { Bundle, Tenant } from './bundle.ts';
import type { Problem } from './problem.ts';
import type { GlobMatcher } from './routing.ts';
import { checkRule } from './rule-checks.ts';
import { checkTargets, type PlaceRulesByKind } from './target-checks.ts';
import { formatPath } from './value.ts';
import { vaultReferenceProblems } from './vault-references.ts';

/**
 * Everything that is wrong with a well-formed bundle and that no single field shows. `key` of a problem is its path in the bundle.
 * Empty for a bundle that can run.
 */
export function checkBundle(bundle: Bundle, kinds: PlaceRulesByKind, match: GlobMatcher): Problem[] {
  const problems: Problem[] = [];
  const broken = new Set<string>();
  for (const [tenantName, tenant] of Object.entries(bundle.tenants)) {
    problems.push(...repositoryProblems(bundle, tenantName, tenant), ...ruleSourceProblems(tenantName, tenant));
    for (const [ruleName, rule] of Object.entries(tenant.rules)) {
      const found = checkRule(rule, ['tenants', tenantName, 'rules', ruleName], match);
      if (found.length > 0) broken.add(`${tenantName}/${ruleName}`);
      problems.push(...found);
    }
  }
  return [...problems, ...fingerprintProblems(bundle), ...vaultReferenceProblems(bundle), ...checkTargets(bundle, kinds, broken)];
}

function repositoryProblems(bundle: Bundle, tenantName: string, tenant: Tenant): Problem[] {
  return Object.entries(tenant.repositories).flatMap(([name, { url, credentials }]) => {
    const at = ['tenants', tenantName, 'repositories', name];
    const isFile = url.startsWith('/') || /^file:/i.test(url);
    const isHttp = /^https?:/i.test(url);
    const problems: Problem[] = [];
    if (isFile && !bundle.settings.allowFileRepositories) {
      problems.push({
        key: formatPath([...at, 'url']),
        message: 'is a file repository; set settings.allowFileRepositories to true if this is a development machine',
      });
    }
    if (credentials && isFile) problems.push({ key: formatPath([...at, 'credentials']), message: 'has no use for a file repository; remove it' });
    else if (credentials && isHttp !== 'token' in credentials) {
      const message = isHttp ? 'holds an ssh key, and the URL is http(s); write token' : 'holds a token, and the URL is ssh; write sshKey and knownHosts';
      problems.push({ key: formatPath([...at, 'credentials']), message });
    } else if (!credentials && !isFile && !isHttp) {
      problems.push({ key: formatPath(at), message: 'needs credentials with sshKey and knownHosts for its ssh URL' });
    }
    return problems;
  });
}

function ruleSourceProblems(tenantName: string, tenant: Tenant): Problem[] {
  const known = Object.keys(tenant.repositories);
  return Object.entries(tenant.rules).flatMap(([name, rule]) => {
    if (known.includes(rule.from.repository)) return [];
    const list = known.length > 0 ? `; it has: ${known.join(', ')}` : '';
    return [{ key: formatPath(['tenants', tenantName, 'rules', name, 'from', 'repository']), message: `no repository of this name in the tenant${list}` }];
  });
}

function fingerprintProblems(bundle: Bundle): Problem[] {
  const tenant = Object.entries(bundle.tenants).find(([, { secretManagers }]) => Object.keys(secretManagers).length > 0);
  if (!tenant || bundle.settings.fingerprintKey) return [];
  const message = `is required because tenant ${tenant[0]} has secretManagers: a fingerprint of a secret without a key can be guessed; write { env: NAME }`;
  return [{ key: 'settings.fingerprintKey', message }];
}
