import { writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { createBundleSchema } from '../schemas/bundle.ts';
import { connectionBase, destinationBase, type SinkSchemas } from '../schemas/sink-schemas.ts';
import { sinkDefinitions } from '../sinks/registry.ts';

type JsonSchema = z.core.JSONSchema.JSONSchema;

export const bundleSchemaFile = new URL('../schemas/bundle.schema.json', import.meta.url);

/** The text of `schemas/bundle.schema.json`: the bundle's grammar for editors, with a variant for each kind of sink. */
export function bundleJsonSchema(sinks: SinkSchemas = sinkDefinitions): string {
  const schema = toJsonSchema(createBundleSchema(sinks));
  const base = toJsonSchema(destinationBase);
  const everySink = toJsonSchema(connectionBase);
  const $defs = {
    ...schema.$defs,
    Sink: {
      oneOf: Object.entries(sinks).flatMap(([kind, { options }]) => variants(toJsonSchema(options)).map((variant) => withKind(kind, everySink, variant))),
    },
    // The kind stands with the sink, so an editor cannot tell which of them applies.
    Destination: {
      anyOf: Object.entries(sinks).flatMap(([kind, sink]) => variants(toJsonSchema(sink.destination)).map((fields) => merged(kind, base, fields))),
    },
  };
  return `${JSON.stringify({ ...schema, title: 'vartrack.yaml', $defs }, null, 2)}\n`;
}

function toJsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
}

/** The objects of a schema, without what only a document as a whole has. */
function variants(schema: JsonSchema): JsonSchema[] {
  const { $schema: _, ...rest } = schema;
  const alternatives = rest.oneOf ?? rest.anyOf;
  if (alternatives) return alternatives.flatMap((alternative) => variants(alternative));
  if (rest.type !== 'object') throw new TypeError('the options and fields of a sink must be objects');
  return [rest];
}

function withKind(kind: string, everySink: JsonSchema, options: JsonSchema): JsonSchema {
  return {
    ...options,
    title: kind,
    properties: { kind: { type: 'string', const: kind }, ...options.properties, ...everySink.properties },
    required: ['kind', ...(options.required ?? [])],
  };
}

function merged(kind: string, base: JsonSchema, fields: JsonSchema): JsonSchema {
  const required = [...(base.required ?? []), ...(fields.required ?? [])];
  return { ...fields, title: `to a sink of kind ${kind}`, properties: { ...base.properties, ...fields.properties }, required };
}

if (import.meta.main) await writeFile(bundleSchemaFile, bundleJsonSchema());
