import { Context } from '@temporalio/activity';
import pLimit from 'p-limit';
import type { Bundle, Rule, Tenant } from '../domain/bundle.ts';
import type { TenantCheck } from '../domain/drift.ts';
import { bounded } from '../domain/status.ts';
import { idWithoutStream } from '../domain/target-ids.ts';
import type { CheckTenantInput } from './activity-types.ts';
import { attempt, type Attempt } from './attempt.ts';
import { boundRotated, boundStreams, boundTargets } from './bound-check.ts';
import { newsOf } from './check-heads.ts';
import type { CheckMemory } from './check-memory.ts';
import { createCheckProgress } from './check-progress.ts';
import { checkRotation } from './check-rotation.ts';
import type { Checked } from './check-target.ts';
import { checkTargets } from './check-targets.ts';
import type { ActivityDeps } from './deps.ts';
import { freezeOf, ruleFreezeOf } from './freeze.ts';
import { surveyRepository, type Survey } from './survey-repository.ts';

export type CheckDeps = ActivityDeps & { readonly memory: CheckMemory };

const REPOSITORIES_AT_ONCE = 8;
/** How old the remote's word of which streams there are may be; for targets that somebody names they are mostly known. */
const HEADS_FOR_GROUPS_MS = 60_000;
const HEADS_FOR_NAMED_MS = 10 * 60_000;
/** For one that is not known: its stream may be new. */
const HEADS_FOR_NEW_MS = 1;
const SHARED_PART_OF_POLL = 0.25;

/** Reads what is due of a tenant's targets and of the heads of its streams; writes nothing. */
export async function checkTenant(deps: CheckDeps, input: CheckTenantInput): Promise<TenantCheck | { readonly kind: 'gone' }> {
  return attempt(`tenant ${input.tenant}`, async (own) => {
    const bundle = deps.bundle();
    const tenant = bundle.tenants[input.tenant];
    if (!tenant) return { kind: 'gone' };
    const began = performance.now();
    const check = await checkDue(deps, bundle, tenant, input, own);
    measure(performance.now() - began);
    return check;
  });
}

async function checkDue(deps: CheckDeps, bundle: Bundle, tenant: Tenant, input: CheckTenantInput, own: Attempt): Promise<TenantCheck> {
  const { signal } = own;
  const now = deps.now();
  const progress = createCheckProgress(own, () => deps.fingerprint(JSON.stringify([input, tenant])));
  const due = dueOf(tenant, input);
  const surveys = await surveyAll(deps, bundle, tenant, input, due, signal);
  const targets = surveys.flatMap((survey) => survey.targets);
  const found = await checkTargets(deps, { bundle, tenant: input.tenant, targets, progress }, signal);
  count(found);
  const checked = withFreezes(found, bundle, input.tenant, now);

  const inGroups = checked.filter(({ target }) => due.groups.has(intervalOf(tenant, target.rule)));
  const groups = [...due.groups].map(([intervalMs, knownDigest]) => ({
    intervalMs,
    knownDigest,
    targets: inGroups.flatMap(({ target }) => (intervalOf(tenant, target.rule) === intervalMs ? [target] : [])),
  }));
  const named = checked.flatMap(({ target }) => (isNamed(input, target.id) ? [target] : []));
  const told = boundTargets(named, groups, deps.fingerprint);

  const polled = surveys.filter((survey) => survey.isPolled);
  const news = boundStreams(polled.flatMap(({ repository, streams }) => streams.flatMap((stream) => newsOf(repository, stream) ?? [])));
  const rotations = due.groups.size === 0 ? null : await checkRotation(deps, input.tenant, inGroups, input.secretVersions, signal);
  const secrets = boundRotated(rotations?.rotated ?? [], rotations?.versions ?? {});
  return {
    kind: 'checked',
    at: now.toISOString(),
    intervals: intervalsOf(tenant),
    groups: told.groups,
    targets: told.targets,
    pollIntervals: pollIntervalsOf(tenant),
    streams: input.polls.length === 0 ? null : news.streams,
    polled: polled.map(({ repository }) => repository),
    moreStreams: news.more,
    pollProblems: bounded([...new Set([...surveys.flatMap(({ problems }) => problems), ...(rotations?.problems ?? [])])], 20, 300),
    freeze: freezeOf(bundle, input.tenant, now),
    rotated: secrets.rotated,
    secretVersions: rotations && secrets.versions,
    notifies: await notifies(deps, bundle, input.tenant, tenant),
  };
}

function withFreezes(checked: readonly Checked[], bundle: Bundle, tenant: string, at: Date): readonly Checked[] {
  const rules = new Set(checked.map(({ target }) => target.rule));
  const freezes = new Map([...rules].map((rule) => [rule, ruleFreezeOf(bundle, tenant, rule, at)]));
  return checked.map((found) => {
    const freeze = freezes.get(found.target.rule);
    return freeze ? { ...found, target: { ...found.target, freeze } } : found;
  });
}

interface Due {
  /** What is known of them, by the interval. */
  readonly groups: ReadonlyMap<number, string>;
  readonly rules: ReadonlySet<string>;
  /** Repositories whose heads are asked for. */
  readonly polls: ReadonlySet<string>;
}

function dueOf(tenant: Tenant, input: CheckTenantInput): Due {
  const all = intervalsOf(tenant);
  const asked = input.groups === 'all' ? all.map((intervalMs) => ({ intervalMs, digest: '' })) : input.groups;
  const groups = new Map(asked.filter(({ intervalMs }) => all.includes(intervalMs)).map(({ intervalMs, digest }) => [intervalMs, digest]));
  const named = new Set(input.targets.map(ruleOf));
  const rules = watched(tenant).filter(([name, rule]) => groups.has(rule.drift.intervalMs) || named.has(name));
  const { polls } = input;
  const repositories = Object.entries(tenant.repositories).filter(([, { pollMs }]) => polls === 'all' || (pollMs !== null && polls.includes(pollMs)));
  const routed = new Set(Object.values(tenant.rules).map(({ from }) => from.repository));
  return { groups, rules: new Set(rules.map(([name]) => name)), polls: new Set(repositories.map(([name]) => name).filter((name) => routed.has(name))) };
}

async function surveyAll(deps: CheckDeps, bundle: Bundle, tenant: Tenant, input: CheckTenantInput, due: Due, signal: AbortSignal): Promise<Survey[]> {
  const repositories = new Set([...due.polls, ...[...due.rules].flatMap((name) => tenant.rules[name]?.from.repository ?? [])]);
  const named = input.targets;
  const limit = pLimit(REPOSITORIES_AT_ONCE);
  return Promise.all(
    [...repositories].map((repository) => {
      const request = {
        bundle,
        tenant: input.tenant,
        repository,
        wants: ({ id, rule, policy }: { readonly id: string; readonly rule: string; readonly policy: Rule }): boolean =>
          due.rules.has(rule) && (due.groups.has(policy.drift.intervalMs) || isNamed(input, id)),
        polls: due.polls.has(repository),
        maxAgeMs: maxAgeOf(tenant, repository, input, due),
        runs: 'asked' as const,
      };
      return limit(async () => {
        const survey = await surveyRepository(deps, request, signal);
        const missing = named.filter((id) => isOf(tenant, repository, id) && !survey.targets.some(({ target }) => isNamed({ targets: [id] }, target.id)));
        return missing.length === 0 ? survey : surveyRepository(deps, { ...request, maxAgeMs: HEADS_FOR_NEW_MS }, signal);
      });
    }),
  );
}

/** Repositories of several tenants that have one URL are asked for their heads together, as long as no poll comes noticeably late by that. */
function maxAgeOf(tenant: Tenant, repository: string, { polls }: CheckTenantInput, due: Due): number {
  if (!due.polls.has(repository)) return due.groups.size > 0 ? HEADS_FOR_GROUPS_MS : HEADS_FOR_NAMED_MS;
  return polls === 'all' ? 0 : (tenant.repositories[repository]?.pollMs ?? 0) * SHARED_PART_OF_POLL;
}

function watched(tenant: Tenant): [string, Rule][] {
  return Object.entries(tenant.rules).filter(([, { drift }]) => drift.mode !== 'off');
}

function intervalsOf(tenant: Tenant): number[] {
  return [...new Set(watched(tenant).map(([, { drift }]) => drift.intervalMs))].toSorted((a, b) => a - b);
}

function intervalOf(tenant: Tenant, rule: string): number {
  return tenant.rules[rule]?.drift.intervalMs ?? -1;
}

function pollIntervalsOf(tenant: Tenant): number[] {
  const routed = new Set(Object.values(tenant.rules).map(({ from }) => from.repository));
  const intervals = Object.entries(tenant.repositories).flatMap(([name, { pollMs }]) => (pollMs === null || !routed.has(name) ? [] : [pollMs]));
  return [...new Set(intervals)].toSorted((a, b) => a - b);
}

function ruleOf(id: string): string {
  return id.replace(/\/.*$/s, '');
}

/** Whether the target may be one of those that the repository feeds. */
function isOf(tenant: Tenant, repository: string, id: string): boolean {
  const rule = ruleOf(id);
  return Object.hasOwn(tenant.rules, rule) && tenant.rules[rule]?.from.repository === repository && tenant.rules[rule].drift.mode !== 'off';
}

/** By the id as the rule has it, or with the stream that tells it from others. */
function isNamed({ targets }: Pick<CheckTenantInput, 'targets'>, id: string): boolean {
  return targets.some((asked) => asked === id || asked === idWithoutStream(id) || idWithoutStream(asked) === id);
}

async function notifies({ sinks }: CheckDeps, bundle: Bundle, name: string, tenant: Tenant): Promise<boolean> {
  const used = new Set(watched(tenant).flatMap(([, rule]) => rule.to.map(({ sink }) => sink)));
  const found = await Promise.all([...used].map((sink) => sinks.get(bundle, name, sink)));
  return found.some((sink) => sink.watch !== undefined);
}

function count(checked: readonly Checked[]): void {
  const counter = Context.current().metricMeter.createCounter('vartrack_checks', '1', 'Targets that were checked, by kind of sink and what was found');
  for (const { target } of checked) counter.add(1, { kind: target.kind, status: target.status });
}

function measure(ms: number): void {
  Context.current()
    .metricMeter.createHistogram('vartrack_check_duration', 'float', 's', 'Time of one check of a tenant')
    .record(ms / 1_000);
}
