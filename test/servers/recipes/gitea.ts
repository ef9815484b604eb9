import { cp } from 'node:fs/promises';
import { join } from 'node:path';

import { run } from '../run.ts';
import { fromGo } from './go.ts';

const MODULE = 'code.gitea.io/gitea';

/** Its templates and static files are copied beside the program: see `giteaStaticRoot`. */
export const gitea = fromGo({
  title: 'Gitea',
  name: 'gitea',
  package: MODULE,
  minutes: 5,
  cgo: true,
  tags: ['sqlite', 'sqlite_unlock_notify'],
  async finish(target, options) {
    const source = (await run('go', ['list', '-mod=mod', '-m', '-f', '{{.Dir}}', MODULE], options)).trim();
    for (const part of ['templates', 'options', 'public']) await cp(join(source, part), join(target, 'static', part), { recursive: true });
  },
});

/** What Gitea's STATIC_ROOT_PATH has to be for this program. */
export function giteaStaticRoot(program: string): string {
  return join(program, '..', 'static');
}
