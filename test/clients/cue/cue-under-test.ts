import { afterAll } from 'vitest';
import { createCue, type Cue, type CueOptions, type CueResult } from '../../../clients/cue/cue.ts';
import { parseDocument } from '../../../clients/formats/parse-document.ts';
import { formatProblem } from '../../../domain/problem.ts';
import type { MapNode, Path } from '../../../domain/value.ts';

/** An engine that is stopped after the file's tests. */
export function cueUnderTest(options?: CueOptions): Cue {
  const cue = createCue(options);
  afterAll(() => cue.close());
  return cue;
}

export function yaml(text: string, file = 'settings/production.yaml'): MapNode {
  return parseDocument(new TextEncoder().encode(text), file);
}

export interface Check {
  /** Source of `schemas/settings.cue`, or all files of the schema. */
  readonly schema: string | Readonly<Record<string, string>>;
  readonly file?: string;
  readonly directory?: string;
  readonly definition?: string;
  readonly document: MapNode;
  readonly opaque?: readonly Path[];
  readonly defaults?: boolean;
}

export function check(cue: Cue, { schema, file, directory, definition, ...request }: Check, signal = AbortSignal.timeout(20_000)): Promise<CueResult> {
  const files = new Map(Object.entries(typeof schema === 'string' ? { 'schemas/settings.cue': schema } : schema));
  const where = directory === undefined ? { file: file ?? 'schemas/settings.cue' } : { directory };
  return cue.validate({ ...request, rule: 'settings', schema: { files, ...where, ...(definition !== undefined && { definition }) } }, signal);
}

/** The problems as a person reads them; an empty list when the document is valid. */
export async function problems(cue: Cue, request: Check): Promise<string[]> {
  const result = await check(cue, request);
  return result.ok ? [] : result.problems.map(formatProblem);
}
