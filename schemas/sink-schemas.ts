import { z } from 'zod';
import type { Destination, SinkConnection } from '../domain/bundle.ts';
import { duration } from './duration.ts';
import { explainIssue, suggestion } from './explain-issue.ts';

/** What the bundle needs to know of a kind of sink: the schemas of its connection and of a destination's own fields. */
export interface SinkSchema {
  readonly options: z.ZodType;
  readonly destination: z.ZodType<{ readonly layout: string }>;
}

/** By kind. `sinks/registry.ts` has all of them. */
export type SinkSchemas = Readonly<Record<string, SinkSchema>>;

/** Fields of every destination; the rest belongs to the kind of its sink. */
export const destinationBase = z.strictObject({
  sink: z.string().min(1).describe('A sink of this tenant'),
  place: z.string().min(1).describe('Where in the sink; may use {tenant} {env} {branch} {tag} {number} {rule}'),
});

/** Options of every sink; the rest belongs to its kind, none of which may have one of these names. */
export const connectionBase = z.strictObject({
  concurrency: z.int().min(1).max(1_000).exactOptional().describe('Calls that one worker makes at the same time; 16 unless given'),
  idleTimeout: z
    .union([z.literal('off'), duration], { error: 'write a duration such as 10m, or off' })
    .exactOptional()
    .describe('After how long without a call the connection is closed until the next; 10m unless given; off: never'),
});

/** `{ kind, ...options }`, the options parsed by the kind's own schema, except for those that every sink has. */
export function sinkConnection(schemas: SinkSchemas): z.ZodType<SinkConnection> {
  const parsed = z.looseObject({ kind: z.string() }).transform(({ kind, concurrency, idleTimeout, ...options }, context): SinkConnection => {
    const schema = Object.hasOwn(schemas, kind) ? schemas[kind] : undefined;
    const given = { ...(concurrency !== undefined && { concurrency }), ...(idleTimeout !== undefined && { idleTimeout }) };
    const base = parseInto(context, connectionBase, given);
    const limits = {
      ...(base?.concurrency !== undefined && { concurrency: base.concurrency }),
      ...(base?.idleTimeout !== undefined && { idleMs: base.idleTimeout === 'off' ? null : base.idleTimeout }),
    };
    if (schema) return { kind, options: parseInto(context, schema.options, options), ...limits };
    const kinds = Object.keys(schemas);
    context.issues.push({
      code: 'custom',
      path: ['kind'],
      message: `unknown kind of sink; known: ${kinds.join(', ')}${suggestion(kind, kinds)}`,
      input: undefined,
    });
    return z.NEVER;
  });
  return parsed.meta({ id: 'Sink' });
}

/** A destination together with what the bundle says of its sink, which stands elsewhere; made by {@link joinSinkKinds}. */
class JoinedDestination {
  readonly given: unknown;
  /** Kinds of the tenant's sinks by name, as written. */
  readonly kinds: ReadonlyMap<string, unknown>;

  constructor(given: unknown, kinds: ReadonlyMap<string, unknown>) {
    this.given = given;
    this.kinds = kinds;
  }
}

/** Puts the kinds of a tenant's sinks beside each of its destinations, so that one pass finds every error. Expects anything, changes nothing. */
export function joinSinkKinds(tenant: unknown): unknown {
  if (!isMap(tenant) || !isMap(tenant['rules'])) return tenant;
  const sinks = isMap(tenant['sinks']) ? Object.entries(tenant['sinks']) : [];
  const kinds = new Map(sinks.map(([name, sink]) => [name, isMap(sink) ? sink['kind'] : undefined]));
  const join = (rule: unknown): unknown =>
    isMap(rule) && Array.isArray(rule['to']) ? { ...rule, to: rule['to'].map((given) => new JoinedDestination(given, kinds)) } : rule;
  return { ...tenant, rules: Object.fromEntries(Object.entries(tenant['rules']).map(([name, rule]) => [name, join(rule)])) };
}

/** `{ sink, place, ...fields }`, the fields parsed by the schema of the sink's kind. */
export function destination(schemas: SinkSchemas): z.ZodType<Destination> {
  const base = z.looseObject(destinationBase.shape);
  const parsed = z.instanceof(JoinedDestination).transform(({ given, kinds }, context): Destination => {
    const basics = parseInto(context, base, given);
    const name = isMap(given) ? given['sink'] : undefined;
    if (!isMap(given) || typeof name !== 'string') return z.NEVER;
    if (!kinds.has(name)) {
      const known = [...kinds.keys()];
      const message = `no sink of this name in the tenant${known.length > 0 ? `; it has: ${known.join(', ')}` : ''}${suggestion(name, known)}`;
      context.issues.push({ code: 'custom', path: ['sink'], message, input: undefined });
      return z.NEVER;
    }
    const kind = kinds.get(name);
    const schema = typeof kind === 'string' && Object.hasOwn(schemas, kind) ? schemas[kind] : undefined;
    // The sink itself is refused for its kind; nothing can be said of the fields.
    if (!schema) return z.NEVER;
    const { sink: _sink, place: _place, ...rest } = given;
    const fields = parseInto(context, schema.destination, rest);
    return basics === undefined || fields === undefined ? z.NEVER : { sink: basics.sink, place: basics.place, layout: fields.layout, fields };
  });
  return parsed.meta({ id: 'Destination' });
}

function parseInto<Output>(context: z.core.$RefinementCtx, schema: z.ZodType<Output>, input: unknown): Output | undefined {
  const result = schema.safeParse(input, { error: explainIssue });
  if (result.success) return result.data;
  for (const issue of result.error.issues) context.issues.push({ ...issue, path: [...issue.path], input: undefined });
  return undefined;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
