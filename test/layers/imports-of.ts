import { posix } from 'node:path';

import { parseSync } from 'vite';

export interface Import {
  /** A path from the project's root (`domain/plan.ts`), a package's name (`@temporalio/client`) or a built-in (`node:fs`). */
  readonly target: string;
  readonly line: number;
  /** Gone at run time: `import type`, `export type`. */
  readonly typeOnly: boolean;
}

/** Every module that a source file names, static and dynamic. `file` is its path from the project's root. */
export function importsOf(file: string, text: string): Import[] {
  const { module, program, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file} does not parse: ${errors[0]?.message}`);
  const typeOnly = new Set(program.body.filter(isTypeOnly).map((statement) => statement.start));
  const statics = [...module.staticImports, ...module.staticExports].flatMap((statement) => {
    const entries = 'moduleRequest' in statement ? [statement.moduleRequest] : statement.entries.map((entry) => entry.moduleRequest);
    const request = entries.find((entry) => entry !== null && entry !== undefined);
    return request ? [{ request: request.value, at: statement.start, typeOnly: typeOnly.has(statement.start) }] : [];
  });
  const dynamics = module.dynamicImports.map(({ moduleRequest }) => ({
    request: text.slice(moduleRequest.start + 1, moduleRequest.end - 1),
    at: moduleRequest.start,
    typeOnly: false,
  }));
  return [...statics, ...dynamics].map(({ request, at, typeOnly: gone }) => ({
    target: targetOf(file, request),
    line: text.slice(0, at).split('\n').length,
    typeOnly: gone,
  }));
}

function isTypeOnly(statement: { type: string; importKind?: string | null; exportKind?: string | null }): boolean {
  return statement.importKind === 'type' || statement.exportKind === 'type';
}

function targetOf(file: string, request: string): string {
  if (request.startsWith('.')) return posix.join(posix.dirname(file), request);
  if (request.startsWith('node:')) return request;
  const [scope = '', name = ''] = request.split('/');
  return scope.startsWith('@') ? `${scope}/${name}` : scope;
}
