import { loadBundle, type BundleSinks } from '../clients/bundle.ts';
import type { Bundle, Rule } from '../domain/bundle.ts';
import { possiblePlace, possibleRoutes } from '../domain/possible-routes.ts';
import { formatProblem, InvalidInput } from '../domain/problem.ts';
import { formatPattern } from '../domain/target-pattern.ts';
import { sinkDefinitions } from '../sinks/registry.ts';
import type { CommandResult } from './run-command.ts';

export interface CheckOptions {
  /** Kinds of sinks that the bundle may name; all by default. */
  readonly sinks?: BundleSinks;
}

/** `vartrack check`: every problem of a bundle, or what the bundle means. Asks nothing of the outside world. */
export async function runCheck(path: string, { sinks = sinkDefinitions }: CheckOptions = {}): Promise<CommandResult> {
  try {
    const summary = summarize(await loadBundle(path, sinks));
    return { exit: 'ok', json: { valid: true, ...summary }, text: `${path}: ${formatSummary(summary)}` };
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    const { problems } = error;
    const text = `${problems.map(formatProblem).join('\n')}\n${count(problems.length, 'problem')}\n`;
    return { exit: 'rejected', json: { valid: false, problems }, text };
  }
}

interface Summary {
  readonly tenants: readonly TenantSummary[];
}

interface TenantSummary {
  readonly name: string;
  readonly repositories: readonly string[];
  readonly sinks: readonly string[];
  readonly rules: readonly RuleSummary[];
}

interface RuleSummary {
  readonly name: string;
  readonly repository: string;
  readonly files: readonly string[];
  readonly schema: string;
  readonly routes: readonly RouteSummary[];
}

/** One way into a rule; `…` in an environment or place is what only an event or the tree will tell. */
interface RouteSummary {
  readonly ref: string;
  readonly environment: string;
  readonly targets: readonly { readonly sink: string; readonly place: string }[];
}

function summarize(bundle: Bundle): Summary {
  const tenants = Object.entries(bundle.tenants).map(([name, { repositories, sinks, rules }]) => ({
    name,
    repositories: Object.keys(repositories),
    sinks: Object.entries(sinks).map(([sink, { kind }]) => `${sink} (${kind})`),
    rules: Object.entries(rules).map(([ruleName, rule]) => summarizeRule(name, ruleName, rule)),
  }));
  return { tenants };
}

function summarizeRule(tenant: string, name: string, rule: Rule): RuleSummary {
  const { from, schema } = rule;
  return {
    name,
    repository: from.repository,
    files: from.files.map(({ pattern, optional }) => (optional ? `${pattern}?` : pattern)),
    schema: schema === 'none' ? 'none' : [schema.file, schema.definition].filter(Boolean).join(' '),
    routes: possibleRoutes(rule).map((route) => ({
      ref: route.label,
      environment: formatPattern(route.environment),
      targets: rule.to.flatMap((destination) => {
        const place = possiblePlace(tenant, name, destination, route);
        return 'pattern' in place ? [{ sink: destination.sink, place: formatPattern(place.pattern) }] : [];
      }),
    })),
  };
}

function formatSummary({ tenants }: Summary): string {
  const rest = [
    count(tenants.flatMap(({ repositories }) => repositories).length, 'repository', 'repositories'),
    count(tenants.flatMap(({ sinks }) => sinks).length, 'sink'),
    count(tenants.flatMap(({ rules }) => rules).length, 'rule'),
  ];
  return `valid: ${[count(tenants.length, 'tenant'), ...rest].join(', ')}\n${tenants.map(formatTenant).join('')}`;
}

function formatTenant({ name, repositories, sinks, rules }: TenantSummary): string {
  return lines(
    `\ntenant ${name}`,
    `  repositories: ${repositories.join(', ') || 'none'}`,
    `  sinks: ${sinks.join(', ') || 'none'}`,
    ...rules.flatMap(formatRule),
  );
}

function formatRule({ name, repository, files, schema, routes }: RuleSummary): string[] {
  const entries = routes.flatMap(({ ref, environment, targets }) => [
    `    ${ref} → ${environment}`,
    ...targets.map(({ sink, place }) => `      ${sink}: ${place}`),
  ]);
  return [`  rule ${name}: ${files.join(', ')} of ${repository}, schema ${schema}`, ...entries];
}

function lines(...all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}

function count(number: number, singular: string, plural = `${singular}s`): string {
  return `${number} ${number === 1 ? singular : plural}`;
}
