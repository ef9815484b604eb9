import type { Bundle, Destination } from './bundle.ts';
import { possiblePlace, possibleRoutes, type PossibleRoute } from './possible-routes.ts';
import type { Problem } from './problem.ts';
import { canBegin, canMeet, formatPattern, headOf, sampleOf } from './target-pattern.ts';
import { templateVariables } from './templates.ts';
import { formatPath } from './value.ts';

/** What a kind of sink says of its places; the part of a sink definition that is needed here. */
export interface PlaceRules {
  /** Names the system that options connect to; without it, sinks with equal options are one. */
  system?(options: unknown): string;
  placeProblem(name: string, fields: unknown, options: unknown): string | null;
  identity(name: string, fields: unknown): string;
  /** Whether keys of the place may have any name that begins with its own. Without it, none has the name of another place or of its keys. */
  reachesBelow?(fields: unknown): boolean;
}

/** By kind. */
export type PlaceRulesByKind = Readonly<Record<string, PlaceRules>>;

/** A destination that can write the targets of a pattern. */
interface Claim {
  readonly tenant: string;
  readonly rule: string;
  readonly index: number;
  readonly sink: string;
  /** What the sink connects to; equal for sinks that are one system. */
  readonly connection: string;
  /** Names of targets inside the connected system. */
  readonly pattern: string;
  readonly reachesBelow: boolean;
}

/**
 * Whether every place can be one, every environment of a rule has its own, and no target has two writers (I11). Expects a bundle whose
 * templates were checked; a rule in `skipped` (`tenant/rule`) has problems already.
 */
export function checkTargets(bundle: Bundle, kinds: PlaceRulesByKind, skipped: ReadonlySet<string>): Problem[] {
  const problems: Problem[] = [];
  const claims: Claim[] = [];
  for (const [tenantName, tenant] of Object.entries(bundle.tenants)) {
    for (const [ruleName, rule] of Object.entries(tenant.rules)) {
      if (skipped.has(`${tenantName}/${ruleName}`)) continue;
      const routes = possibleRoutes(rule);
      for (const [index, destination] of rule.to.entries()) {
        const connection = Object.hasOwn(tenant.sinks, destination.sink) ? tenant.sinks[destination.sink] : undefined;
        const kind = connection && Object.hasOwn(kinds, connection.kind) ? kinds[connection.kind] : undefined;
        if (!connection || !kind) continue;
        const { messages, patterns } = inspect(tenantName, ruleName, destination, routes, kind, connection.options);
        const key = placeKey(tenantName, ruleName, index);
        problems.push(...messages.map((message) => ({ key, message })));
        const base = {
          tenant: tenantName,
          rule: ruleName,
          index,
          sink: destination.sink,
          connection: `${connection.kind} ${kind.system?.(connection.options) ?? stableJson(connection.options)}`,
          reachesBelow: kind.reachesBelow?.(destination.fields) ?? false,
        };
        claims.push(...patterns.map((pattern) => ({ ...base, pattern })));
      }
    }
  }
  return [...problems, ...sharedTargets(claims)];
}

function placeKey(tenant: string, rule: string, index: number): string {
  return formatPath(['tenants', tenant, 'rules', rule, 'to', String(index), 'place']);
}

/** What is wrong with the places of one destination, and the targets that it can write. */
function inspect(
  tenant: string,
  rule: string,
  destination: Destination,
  routes: readonly PossibleRoute[],
  kind: PlaceRules,
  options: unknown,
): { messages: string[]; patterns: string[] } {
  const messages = new Set<string>();
  const places: { route: PossibleRoute; pattern: string }[] = [];
  for (const route of routes) {
    const place = possiblePlace(tenant, rule, destination, route);
    if ('missing' in place) {
      messages.add(`uses {${place.missing}}, which ${route.label} does not have; use {env}, or make a rule of its own for it`);
      continue;
    }
    const problem = kind.placeProblem(sampleOf(place.pattern), destination.fields, options);
    if (problem !== null) messages.add(problem);
    else places.push({ route, pattern: kind.identity(place.pattern, destination.fields) });
  }
  const shared = sharedByEnvironments(destination, places);
  if (shared !== null) messages.add(shared);
  return { messages: [...messages], patterns: [...new Set(places.map(({ pattern }) => pattern))] };
}

/** Two environments of one rule that would write one target, or null. */
function sharedByEnvironments(destination: Destination, places: readonly { route: PossibleRoute; pattern: string }[]): string | null {
  const used = templateVariables(destination.place);
  if (used.has('env')) return null;
  for (const [index, { route, pattern }] of places.entries()) {
    const untold = [...route.opens].some((variable) => !used.has(variable));
    if (untold) return `is one place for all environments of ${route.label} (${formatPattern(route.environment)}); write {env} into it`;
    const other = places.slice(0, index).find((earlier) => earlier.route.environment !== route.environment && canMeet(earlier.pattern, pattern));
    if (!other) continue;
    const names = `${formatPattern(other.route.environment)} (${other.route.label}) and ${formatPattern(route.environment)} (${route.label})`;
    return `is one place for the environments ${names}; write {env} into it`;
  }
  return null;
}

/** Every two destinations that can write one target or one key. Sorted by the text that their targets begin with, only neighbours can meet. */
function sharedTargets(claims: readonly Claim[]): Problem[] {
  const order = new Map(claims.map((claim, index) => [claim, index]));
  const sorted = claims
    .map((claim) => ({ claim, head: `${claim.connection}\n${headOf(claim.pattern)}` }))
    .toSorted((a, b) => (a.head < b.head ? -1 : a.head > b.head ? 1 : 0));
  const problems = new Map<string, Problem>();
  for (const [index, { claim, head }] of sorted.entries()) {
    for (let next = index + 1; next < sorted.length; next++) {
      const neighbour = sorted[next];
      if (!neighbour?.head.startsWith(head)) break;
      const other = neighbour.claim;
      if (other.connection !== claim.connection || sameDestination(claim, other) || !canShare(claim, other)) continue;
      const [first, second] = (order.get(claim) ?? 0) < (order.get(other) ?? 0) ? [claim, other] : [other, claim];
      const key = placeKey(second.tenant, second.rule, second.index);
      const id = `${key} ${placeKey(first.tenant, first.rule, first.index)}`;
      if (!problems.has(id)) problems.set(id, { key, message: sharedMessage(first, second) });
    }
  }
  return [...problems.values()];
}

function canShare(a: Claim, b: Claim): boolean {
  return canMeet(a.pattern, b.pattern) || reaches(a, b) || reaches(b, a);
}

/** Whether a key of one can be the other, or one of its keys. */
function reaches(outer: Claim, inner: Claim): boolean {
  return outer.reachesBelow && canBegin(outer.pattern, inner.pattern);
}

function sameDestination(a: Claim, b: Claim): boolean {
  return a.tenant === b.tenant && a.rule === b.rule && a.index === b.index;
}

function sharedMessage(first: Claim, second: Claim): string {
  const names = [first, second].map(({ tenant, rule, index, sink }) => `rule ${rule} of tenant ${tenant} (to[${index}], sink ${sink})`);
  const where = first.pattern === second.pattern ? formatPattern(first.pattern) : `${formatPattern(first.pattern)} and ${formatPattern(second.pattern)}`;
  if (canMeet(first.pattern, second.pattern))
    return `${names.join(' and ')} can write the same target (${where}); a target has one writer: give one of them another place`;
  return `${names.join(' and ')} can write the same key (${where}: one is below the other); a key has one writer: give one of them another place`;
}

/** JSON with sorted keys; equal options give equal texts. */
function stableJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'bigint') return String(part);
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}
