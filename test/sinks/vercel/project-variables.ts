import { SinkError } from '../../../sinks/errors.ts';
import type { Draft, Variable, Variables } from '../../../sinks/vercel/variables.ts';
import { Refusal, type Project, type StoredVariable } from '../../servers/vercel/project.ts';

/** The variables of one project without the network between; `turn` is awaited before and after each call, as long as others are to come first. */
export function projectVariables(project: Project, turn: () => Promise<void> = async () => undefined): Variables {
  async function call<Value>(work: () => Value): Promise<Value> {
    await turn();
    try {
      return work();
    } catch (error) {
      if (error instanceof Refusal) throw new SinkError(error.code === 'ENV_CONFLICT' ? 'conflict' : 'rejected', error.message);
      throw error;
    } finally {
      await turn();
    }
  }
  return {
    list: () => call(() => [...project.variables.values()].map(variableOf)),
    create: (_name, drafts, mode) => call(() => drafts.map((draft) => variableOf(project.create(storedOf(draft), mode === 'upsert')))),
    edit: (_name, id, draft) => call(() => variableOf(project.edit(id, storedOf(draft)))),
    remove: (_name, ids) => call(() => ids.forEach((id) => project.remove(id))),
    close: async () => undefined,
  };
}

function variableOf({ id, key, value, type, target, gitBranch, customEnvironmentIds, comment, updatedAt }: StoredVariable): Variable {
  const scope = { targets: target.toSorted(), gitBranch: gitBranch ?? null, customEnvironments: customEnvironmentIds.toSorted() };
  return { ...scope, id, key, value: type === 'sensitive' ? null : value, type, comment: comment ?? '', updatedAt };
}

function storedOf({ key, value, type, targets, gitBranch, customEnvironments, comment }: Draft) {
  return { key, value: value ?? '', type, target: targets, gitBranch, customEnvironmentIds: customEnvironments, comment };
}
