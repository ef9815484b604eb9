import { resolveBlocks } from './blocks.ts';
import { overlay } from './merge.ts';
import { InvalidInput, type Problem } from './problem.ts';
import { selectSubtree } from './select.ts';
import { unite } from './unite.ts';
import { parsePath, type MapNode } from './value.ts';

/** The parsed files of one entry of the rule's `files`: one, or those that a glob found in the order of their names. */
export interface FileGroup {
  /** As the rule has it with the environment filled in; for messages. */
  readonly pattern: string;
  readonly optional: boolean;
  readonly nodes: readonly MapNode[];
}

export interface Assembly {
  /** In the order of the rule: later ones overlay earlier ones. */
  readonly groups: readonly FileGroup[];
  /** Dotted path; absent takes the whole of each file. */
  readonly select?: string;
  readonly environment: string;
  /** Names of all environments of the rule. */
  readonly declared: ReadonlySet<string>;
  /** Whether environment blocks are resolved. */
  readonly blocks: boolean;
}

/**
 * The document of one environment: of each file the selected subtree, its environment blocks resolved; files of a group joined; groups laid over
 * one another. Throws InvalidInput once, with the problems of all files. A document that lost all of its keys on the way is an empty map.
 */
export function assembleDocument({ groups, select, environment, declared, blocks }: Assembly): MapNode {
  const problems: Problem[] = [];

  function attempt<T>(step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      for (const problem of error.problems) problems.push(problem);
      return undefined;
    }
  }

  function readFile(node: MapNode): MapNode | undefined {
    return attempt(() => {
      const selected = select === undefined ? node : selectSubtree(node, parsePath(select));
      return blocks ? resolveBlocks(selected, environment, declared) : selected;
    });
  }

  const layers = groups.flatMap((group) => {
    if (group.nodes.length === 0 && !group.optional) {
      problems.push({ message: `no file ${group.pattern} at this commit; add it, or mark it as optional with a ? behind its name` });
    }
    const nodes = group.nodes.map(readFile).filter((node) => node !== undefined);
    return attempt(() => unite(nodes)) ?? [];
  });
  if (problems.length > 0) throw new InvalidInput(problems);

  const [first, ...rest] = layers;
  return rest.reduce(overlay, first ?? { kind: 'map', entries: new Map(), origin: { file: groups[0]?.pattern ?? '', line: 1, column: 1 } });
}
