import { formatPath } from '../domain/value.ts';
import type { RenderedEntry } from '../domain/plan.ts';
import { fillSecrets, type SecretReference } from '../domain/secret-reference.ts';
import { SinkError } from '../sinks/errors.ts';
import type { DestinationFields, SinkDefinition } from '../sinks/sink.ts';
import type { TargetState } from './stream-state.ts';

/**
 * The target with the real values, a new object that nobody keeps. Throws SinkError where the sink cannot take one, which could not be known while it
 * was a reference.
 */
export function revealTarget(target: TargetState, definition: SinkDefinition, secretOf: (reference: SecretReference) => string): TargetState {
  if (target.secretKeys.size === 0) return target;
  const fields = target.place.fields as DestinationFields;
  const entries = target.entries.map((entry): RenderedEntry => {
    if (!target.secretKeys.has(entry.key)) return entry;
    try {
      return definition.render({ path: entry.path, value: fillSecrets(entry.value, secretOf) }, fields);
    } catch (error) {
      if (!(error instanceof SinkError)) throw error;
      throw new SinkError(error.reason, `${target.place.name}: the secret of ${formatPath(entry.path)}: ${error.message}`);
    }
  });
  const limit = definition.limitProblem(entries, fields);
  if (limit !== null) throw new SinkError('too-large', `${target.place.name}: with its secrets ${limit}`);
  return { ...target, entries };
}
