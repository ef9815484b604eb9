import { randomBytes } from 'node:crypto';

export interface StoredVariable {
  readonly id: string;
  readonly key: string;
  readonly value: string;
  readonly type: string;
  readonly target: readonly string[];
  readonly gitBranch?: string;
  readonly customEnvironmentIds: readonly string[];
  readonly comment?: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What a request says of a variable; an edit leaves out what stays. */
export interface Draft {
  readonly key: string;
  readonly value: string;
  readonly type: string;
  readonly target?: readonly string[] | undefined;
  readonly gitBranch?: string | null | undefined;
  readonly customEnvironmentIds?: readonly string[] | undefined;
  readonly comment?: string | undefined;
}

/** Why the API refuses one variable. */
export class Refusal extends Error {
  readonly code: string;
  readonly variable: Pick<Draft, 'key' | 'gitBranch' | 'target'>;

  constructor(code: string, message: string, variable: Pick<Draft, 'key' | 'gitBranch' | 'target'>) {
    super(message);
    this.code = code;
    this.variable = variable;
  }
}

/** The variables of one project, by the rules that Vercel documents for them. */
export interface Project {
  readonly variables: ReadonlyMap<string, StoredVariable>;
  /** Number of changes so far. */
  writes(): number;
  create(draft: Draft, upsert: boolean): StoredVariable;
  edit(id: string, change: Partial<Draft>): StoredVariable;
  remove(id: string): StoredVariable | undefined;
}

const MAX_BYTES = 64 * 1024;
const MAX_COMMENT = 500;

export function createProject(): Project {
  const variables = new Map<string, StoredVariable>();
  let clock = 0;
  let writes = 0;

  /** No two changes at the same millisecond, so that `updatedAt` tells them apart as it does at any human distance. */
  function now(): number {
    clock = Math.max(Date.now(), clock + 1);
    writes++;
    return clock;
  }

  function check(variable: StoredVariable): void {
    const { key, type, target, gitBranch, customEnvironmentIds, comment = '', value } = variable;
    const refuse = (code: string, message: string): never => {
      throw new Refusal(code, message, variable);
    };
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) refuse('INVALID_KEY', 'The name contains invalid characters.');
    if (/^(AWS_SECRET_KEY|NOW_REGION|TZ|LAMBDA_TASK_ROOT|LAMBDA_RUNTIME_DIR)$/.test(key)) refuse('RESERVED_ENV_VARIABLE', 'The name is reserved.');
    if (target.length + customEnvironmentIds.length === 0) refuse('BAD_REQUEST', 'A target is needed.');
    if (gitBranch !== undefined && (target.length !== 1 || target[0] !== 'preview')) refuse('BAD_REQUEST', 'A branch needs the target preview alone.');
    if (type === 'sensitive' && target.includes('development'))
      refuse('BAD_REQUEST', 'You cannot set a Sensitive Environment Variable’s target to development.');
    if (comment.length > MAX_COMMENT) refuse('BAD_REQUEST', `The comment is longer than ${MAX_COMMENT}.`);
    for (const environment of [...target, ...customEnvironmentIds]) {
      const others = [...variables.values()].filter((each) => each.id !== variable.id && appliesTo(each, environment, gitBranch));
      const bytes = [...others, variable].reduce((sum, each) => sum + Buffer.byteLength(each.key) + Buffer.byteLength(each.value), 0);
      if (bytes > MAX_BYTES) refuse('ENV_TOO_LARGE', `The environment variables would have ${bytes} bytes, above the limit of 64 KB (${value.length}).`);
    }
    if ([...variables.values()].some((each) => each.id !== variable.id && each.key === key && overlap(each, variable)))
      refuse('ENV_CONFLICT', `A variable with the name \`${key}\` already exists for the target ${target.join(', ')} on branch ${gitBranch}`);
  }

  function fill(id: string, createdAt: number, draft: Draft): StoredVariable {
    const { key, value, type, target = [], gitBranch, customEnvironmentIds = [], comment } = draft;
    return {
      id,
      key,
      value,
      type,
      target,
      customEnvironmentIds,
      createdAt,
      updatedAt: now(),
      ...(typeof gitBranch === 'string' ? { gitBranch } : {}),
      ...(comment === undefined ? {} : { comment }),
    };
  }

  function put(variable: StoredVariable, before: StoredVariable | undefined): StoredVariable {
    if (before?.type === 'sensitive' && variable.type !== 'sensitive')
      throw new Refusal('BAD_REQUEST', 'You cannot change the type of a Sensitive Environment Variable.', variable);
    check(variable);
    variables.set(variable.id, variable);
    return variable;
  }

  return {
    variables,
    writes: () => writes,
    create: (draft, upsert) => {
      const fresh = fill(randomBytes(8).toString('hex'), Date.now(), draft);
      const existing = upsert ? [...variables.values()].find((each) => each.key === draft.key && sameScope(each, fresh)) : undefined;
      return put(existing ? { ...fresh, id: existing.id, createdAt: existing.createdAt } : fresh, existing);
    },
    edit: (id, change) => {
      const before = variables.get(id);
      if (!before) throw new Refusal('NOT_FOUND', 'The Environment Variable was not found', { key: '' });
      const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
      return put(fill(id, before.createdAt, { ...before, ...given }), before);
    },
    remove: (id) => {
      const before = variables.get(id);
      if (before) now();
      variables.delete(id);
      return before;
    },
  };
}

function appliesTo(variable: StoredVariable, environment: string, gitBranch: string | undefined): boolean {
  const branch = variable.gitBranch === undefined || variable.gitBranch === gitBranch;
  return branch && (variable.target.includes(environment) || variable.customEnvironmentIds.includes(environment));
}

function overlap(a: StoredVariable, b: StoredVariable): boolean {
  if (a.gitBranch !== b.gitBranch) return false;
  return a.target.some((each) => b.target.includes(each)) || a.customEnvironmentIds.some((each) => b.customEnvironmentIds.includes(each));
}

function sameScope(a: StoredVariable, b: StoredVariable): boolean {
  const scope = ({ target, customEnvironmentIds, gitBranch }: StoredVariable) =>
    JSON.stringify([target.toSorted(), customEnvironmentIds.toSorted(), gitBranch ?? null]);
  return scope(a) === scope(b);
}
