import { expect, it } from 'vitest';
import { nearestName } from '../../../clients/cue/nearest-name.ts';

it('finds the name with the fewest wrong letters', () => {
  expect(nearestName('max_conections', ['min_connections', 'max_connections', 'max_sections'])).toBe('max_connections');
  expect(nearestName('Timeout', ['timeout'])).toBe('timeout');
});

it('finds none when too much is wrong', () => {
  expect(nearestName('host', ['port', 'level'])).toBeUndefined();
  expect(nearestName('x', [])).toBeUndefined();
});
