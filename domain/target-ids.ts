import type { Tenant } from './bundle.ts';

const TARGET_ID = /^([^/]+)\/([^/]+)\/(0|[1-9]\d{0,3})$/;

/** What is wrong with a target that a person names as `rule/environment/destination`; undefined where the tenant may have it. Environments come from Git, so any is taken. */
export function targetIdProblem({ rules }: Tenant, id: string): string | undefined {
  const [, ruleName = '', , destination] = TARGET_ID.exec(id) ?? [];
  if (destination === undefined) return `"${id}" is no target; write rule/environment/destination, such as settings/production/0`;
  const rule = Object.hasOwn(rules, ruleName) ? rules[ruleName] : undefined;
  if (!rule) return `"${id}": there is no rule ${ruleName}; there are ${Object.keys(rules).join(', ') || 'none'}`;
  if (Number(destination) >= rule.to.length) return `"${id}": rule ${ruleName} has ${rule.to.length} destinations, counted from 0`;
  if (rule.drift.mode === 'off') return `"${id}": rule ${ruleName} says drift: off, so it is not looked at`;
  return undefined;
}
