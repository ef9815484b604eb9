import type { Tenant } from './bundle.ts';
import type { CheckedTarget } from './drift.ts';

const TARGET_ID = /^([^/@]+)\/([^/@]+)\/(0|[1-9]\d{0,3})(?:@(.+))?$/s;

/**
 * What is wrong with a target that a person names as `rule/environment/destination` or `rule/environment/destination@stream`; undefined where the tenant may
 * have it. Environments and streams come from Git, so any is taken.
 */
export function targetIdProblem({ rules }: Tenant, id: string): string | undefined {
  const [, ruleName = '', , destination] = TARGET_ID.exec(id) ?? [];
  if (destination === undefined) return `"${id}" is no target; write rule/environment/destination, such as settings/production/0`;
  const rule = Object.hasOwn(rules, ruleName) ? rules[ruleName] : undefined;
  if (!rule) return `"${id}": there is no rule ${ruleName}; there are ${Object.keys(rules).join(', ') || 'none'}`;
  if (Number(destination) >= rule.to.length) return `"${id}": rule ${ruleName} has ${rule.to.length} destinations, counted from 0`;
  if (rule.drift.mode === 'off') return `"${id}": rule ${ruleName} says drift: off, so it is not looked at`;
  return undefined;
}

/** Where a place takes its name from a ref, each ref has a target of its own: then an id says the stream too. */
export function idWithStream(id: string, stream: string): string {
  return `${id}@${stream}`;
}

/** The id as its rule has it. */
export function idWithoutStream(id: string): string {
  return id.replace(/@.*$/s, '');
}

/** Whether a person means a target: all of its id, or with the stream where the id needs none, or without where it has one, which are all of its refs. */
export function isMeant(asked: string, { id, stream }: Pick<CheckedTarget, 'id' | 'stream'>): boolean {
  const bare = idWithoutStream(id);
  return asked === id || asked === bare || asked === idWithStream(bare, stream);
}
