import { Context, log } from '@temporalio/activity';
import type { ReportInput } from './activity-types.ts';
import { countHeal } from './heal-metrics.ts';

/** One log line and one count for each request that ended. Tenants are in the log and in Temporal's search attributes; as labels their number has no bound. */
export function report({ tenant, repository, stream, request, outcome }: ReportInput): Promise<void> {
  const line = {
    tenant,
    repository,
    stream,
    trigger: request.trigger,
    request: request.id,
    ...(request.by !== undefined && { by: request.by }),
    ...(request.force && { force: true }),
    commit: outcome.commit,
    status: outcome.status,
    summary: outcome.summary,
    targets: outcome.targets.map(({ sink, place, status, message }) => ({ sink, place, status, ...(message !== undefined && { message }) })).slice(0, 20),
    problems: outcome.problems.slice(0, 20),
  };
  log.info('request ended', line);
  const meter = Context.current().metricMeter;
  meter.createCounter('vartrack_requests', '1', 'Requests that ended, by status').add(1, { trigger: request.trigger, status: outcome.status });
  for (const target of outcome.targets) {
    meter.createCounter('vartrack_targets', '1', 'Targets of ended requests, by status').add(1, { kind: target.kind, status: target.status });
  }
  countHeal(meter, request, outcome, new Date());
  return Promise.resolve();
}
