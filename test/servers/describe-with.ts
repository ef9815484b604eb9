import { describe, inject, test } from 'vitest';

import type { ServerName } from './get.ts';

/**
 * A suite that needs real servers. On a machine that has none of them it is skipped and its title says why; where `CI` is set it fails,
 * because there a skipped suite is a hole that nobody sees.
 */
export function describeWith(needed: ServerName | readonly ServerName[], title: string, suite: () => void): void {
  const servers = inject('servers');
  const reasons = [needed].flat().flatMap((name) => {
    const located = servers[name];
    return 'missing' in located ? [located.missing] : [];
  });
  if (reasons.length === 0) {
    describe(title, suite);
  } else if (process.env['CI']) {
    test(`${title}: its server is there`, () => {
      throw new Error(reasons.join('; '));
    });
  } else {
    describe.skip(`${title} [skipped: ${reasons.join('; ')}]`, suite);
  }
}
