import type { Variable, Variables } from './variables.ts';

/** What was listed longer ago says too little of what is there now. */
const FRESH_FOR_MS = 1_000;

/**
 * The calls of one read, write or undo of one place, in which a list serves until something is written: it has all of the project at one moment, and requests are
 * few. Every condition is still looked at in a list that is younger than the last write before it.
 */
export function withOneList(variables: Variables): Variables {
  let known: { readonly project: string; readonly list: Promise<readonly Variable[]>; readonly at: number } | undefined;

  async function change<Value>(work: () => Promise<Value>): Promise<Value> {
    known = undefined;
    return await work().finally(() => {
      known = undefined;
    });
  }

  return {
    list: (project, targets, signal) => {
      if (known?.project === project && known.at > Date.now() - FRESH_FOR_MS) return known.list;
      const list = variables.list(project, targets, signal);
      const asked = { project, list, at: Date.now() };
      known = asked;
      list.catch(() => {
        if (known === asked) known = undefined;
      });
      return list;
    },
    create: (...args) => change(() => variables.create(...args)),
    edit: (...args) => change(() => variables.edit(...args)),
    remove: (...args) => change(() => variables.remove(...args)),
    close: () => variables.close(),
  };
}
