import { expect, test } from 'vitest';
import { showLines } from '../../../cli/dev/show-lines.ts';

test('lines are shown whole behind their name, however they are cut on their way', () => {
  const shown: string[] = [];
  const show = showLines('Temporal', (text) => shown.push(text));
  for (const piece of ['plain\n{"level":"warn","msg":"slow', '","ms":7}\nhalf', ' a line\n']) show(piece);
  expect(shown).toEqual(['temporal | plain\n', 'temporal | WARN slow ms=7\n', 'temporal | half a line\n']);
});
