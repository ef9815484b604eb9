import { InvalidInput } from './problem.ts';
import { formatPath, nodeAt, originAt, type MapNode, type Path } from './value.ts';

/** The map at `path`. Throws InvalidInput where it is missing or no map: that a file has nothing to say there is written as `{}`. */
export function selectSubtree(root: MapNode, path: Path): MapNode {
  const selected = nodeAt(root, path);
  if (selected?.kind === 'map') return selected;
  const message = selected
    ? 'select: takes a map, and this is none'
    : 'select: takes this key, and the file does not have it; add it ({} if it has nothing to say), or change select';
  throw new InvalidInput([{ key: formatPath(path), origin: originAt(root, path), message }]);
}
