import { InvalidInput } from '../../domain/problem.ts';

/** What one schema may be made of; more is refused before the engine sees it. */
export const schemaLimits = { maxFiles: 1_000, maxBytes: 4 * 1024 * 1024 };

/**
 * The paths among `treePaths` (all of a repository at one commit) that the engine needs to use the schema `file`.
 * Inside a CUE module (the nearest `cue.mod/module.cue` above the file) those are all CUE files of the module, since any can be imported;
 * outside of one, those beside the file. Throws {@link InvalidInput} if there is no such file, or too many.
 */
export function schemaFiles(treePaths: readonly string[], file: string): string[] {
  const paths = new Set(treePaths);
  if (!file.endsWith('.cue')) throw refusal(file, 'is not a CUE file: its name must end in .cue');
  if (!paths.has(file)) throw refusal(file, 'the schema file does not exist at this commit: add it, or mend `schema.file` of the rule');
  const root = moduleRoot(paths, file);
  const found = treePaths.filter((path) => {
    if (path === file) return true;
    if (!isPackageFile(path)) return false;
    return root === undefined ? directoryOf(path) === directoryOf(file) : isBelow(path, root) && moduleRoot(paths, path) === root;
  });
  if (root !== undefined) found.push(join(root, moduleFile));
  if (found.length > schemaLimits.maxFiles) {
    throw refusal(
      file,
      `its module has ${found.length} CUE files, at most ${schemaLimits.maxFiles} are read: give the schemas a module (cue.mod/module.cue) of their own`,
    );
  }
  return found.toSorted();
}

/** Directory of the module that `path` is part of ('' is the root of the repository), or undefined outside of any. */
export function moduleRoot(paths: { has(path: string): boolean }, path: string): string | undefined {
  for (let directory = path; directory !== '';) {
    directory = directoryOf(directory);
    if (paths.has(join(directory, moduleFile))) return directory;
  }
  return undefined;
}

export function directoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

const moduleFile = 'cue.mod/module.cue';

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

function isBelow(path: string, directory: string): boolean {
  return directory === '' || path.startsWith(`${directory}/`);
}

/** As `cue` itself selects them: no hidden files, no tools, no tests, nothing of `cue.mod` (vendored packages are not available). */
function isPackageFile(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return name.endsWith('.cue') && !/^[._]|_(tool|test)\.cue$/.test(name) && !/(^|\/)cue\.mod\//.test(path);
}

function refusal(file: string, message: string): InvalidInput {
  return new InvalidInput([{ message, origin: { file, line: 1, column: 1 } }]);
}
