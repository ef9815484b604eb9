import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { checkBuild, goVersion, readRecord, sourcesDigest } from '../../../tools/build-cue.ts';

const engine = new URL('../../../clients/cue/engine/', import.meta.url);

it('the committed engine is the one whose checksum is committed', () => {
  const [expected] = readFileSync(new URL('cue.wasm.br.sha256', engine), 'utf8').split(' ');
  expect(
    createHash('sha256')
      .update(readFileSync(new URL('cue.wasm.br', engine)))
      .digest('hex'),
  ).toBe(expected);
});

it('the committed engine was built from the committed sources', () => {
  expect(sourcesDigest()).toBe(readRecord().sources);
});

const reason = skipReason();
it.skipIf(reason !== undefined)(`building the sources again gives the same engine${reason ? ` (skipped: ${reason})` : ''}`, { timeout: 600_000 }, () => {
  expect(checkBuild()).toEqual({});
});

function skipReason(): string | undefined {
  if (!process.env.CI && process.env.VARTRACK_CHECK_CUE !== '1') return 'takes a minute; VARTRACK_CHECK_CUE=1 or CI asks for it';
  const go = goVersion();
  return go === readRecord().go ? undefined : `the engine was built with ${readRecord().go}, here is ${go ?? 'no Go'}`;
}
