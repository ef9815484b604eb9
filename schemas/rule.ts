import { z } from 'zod';
import type { DeleteLimit, Destination, FilePattern, Rule } from '../domain/bundle.ts';
import { duration } from './duration.ts';
import { freeze } from './freeze.ts';
import { name } from './name.ts';

const format = z.enum(['yaml', 'json', 'toml', 'dotenv', 'ini', 'properties', 'hcl', 'xml']);

const file = z
  .union(
    [
      z
        .string()
        .min(1)
        .transform((text): FilePattern => (text.endsWith('?') ? { pattern: text.slice(0, -1), optional: true } : { pattern: text, optional: false })),
      z
        .strictObject({ path: z.string().min(1), format: format.exactOptional(), optional: z.boolean().default(false) })
        .transform(({ path, ...rest }): FilePattern => ({ pattern: path, ...rest })),
    ],
    { error: 'write a path, or { path, format, optional } with a format of yaml, json, toml, dotenv, ini, properties, hcl, xml' },
  )
  .describe('Path or glob in the repository; {env} is filled in, a ? at the end marks an optional file');

const source = z.strictObject({
  repository: name.describe('A repository of this tenant'),
  files: z.array(file).min(1).describe('In order: later files overlay earlier ones'),
  select: z.string().min(1).exactOptional().describe('Dotted path of the subtree to use'),
  blocks: z
    .union([z.enum(['on', 'off']), z.boolean()], { error: 'write on or off' })
    .default('on')
    .transform((given) => given === 'on' || given === true)
    .describe('Whether maps keyed by environment names are resolved'),
  lists: z.enum(['json', 'index']).default('json').describe('How lists become keys: one JSON text, or a key for each index'),
});

const environments = z.strictObject({
  branches: z.record(z.string(), z.string()).default({}).describe('Branch name or glob → environment, which may use {branch}'),
  tags: z.record(z.string(), z.string()).default({}).describe('Tag name or glob → environment, which may use {tag}'),
  pullRequests: z.string().exactOptional().describe('Environment of a pull request, such as pr-{number}'),
  paths: z.string().min(1).exactOptional().describe('Branch whose tree says the environments: whatever stands for {env} in files'),
});

const cueSchema = z.union(
  [
    z.literal('none'),
    z.strictObject({
      file: z.string().min(1).describe('CUE file in the repository'),
      definition: z.string().min(1).exactOptional().describe('Such as #Settings; by default the whole file'),
      defaults: z.boolean().default(false).describe('Whether defaults of the schema are written as values'),
    }),
  ],
  { error: 'write { file, definition, defaults }, or none if the values are to be written unchecked' },
);

const deletesGuide = { error: 'write a count such as 10, or a share such as 30%' };

const deletes = z
  .union([z.int(deletesGuide).min(0, deletesGuide), z.string().regex(/^(100|\d{1,2})%$/, deletesGuide)], deletesGuide)
  .transform((given): DeleteLimit => (typeof given === 'number' ? { count: given } : { percent: Number(given.slice(0, -1)) }));

/** A rule; how a destination is parsed depends on the kind of its sink and comes from outside. */
export function ruleSchema(destination: z.ZodType<Destination>): z.ZodType<Rule> {
  return z
    .strictObject({
      from: source,
      environments,
      schema: cueSchema,
      to: z.array(destination).min(1),
      constrain: z
        .enum(['type', 'value'])
        .exactOptional()
        .describe('What the schema is asked of secrets: that they are texts (the default), or also whether their values satisfy it'),
      prune: z.boolean().default(true).describe('Whether owned keys that Git no longer has are deleted'),
      protect: z.array(z.string().min(1)).default([]).describe('Globs over dotted keys that are never deleted; what covers a key covers all below it'),
      limits: z.strictObject({ deletes: deletes.nullable().default(null).describe('Deletes in one write above which a person must allow it') }).prefault({}),
      onExisting: z.enum(['refuse', 'overwrite']).default('refuse').describe('What to do with a key that exists and is not ours'),
      onFailure: z.enum(['compensate', 'continue', 'halt']).default('compensate').describe('What to do with the other destinations when one fails for good'),
      drift: z
        .strictObject({
          mode: z.enum(['heal', 'warn', 'off']).default('heal'),
          interval: duration.prefault('60s'),
          ignore: z.array(z.string().min(1)).default([]).describe('Globs over dotted keys whose drift does not count'),
        })
        .prefault({}),
      freeze: freeze.exactOptional(),
      timeout: duration.prefault('2m').describe('How long retries of one write may go on'),
    })
    .transform(({ timeout, drift: { interval, ...drift }, ...rest }) => ({ ...rest, drift: { ...drift, intervalMs: interval }, timeoutMs: timeout }));
}
