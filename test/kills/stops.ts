import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Where a worker that is going to be killed waits for it. Test and worker talk by files in one directory, because a process that was stopped or killed
 * can still be told apart by them: `arms.json` says at which point each tenant is to be stopped, `<tenant>.held` that it is, `<tenant>.go` lets it go on.
 */
export interface Stops {
  /** Gives false at once unless this is where the tenant is to be stopped. Then only the test ends it, by a kill or by letting it go on. */
  at(tenant: string, point: string): Promise<boolean>;
  /** The point where the tenant is to be stopped. */
  armed(tenant: string): string | undefined;
  /** Tells the test what happened. */
  note(line: string): void;
  /** For what waits outside of this process. */
  readonly directory: string;
}

const LOOK_AGAIN_MS = 20;

export function createStops(directory: string): Stops {
  const armed = (tenant: string): string | undefined => {
    const file = join(directory, 'arms.json');
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>)[tenant] : undefined;
  };
  return {
    directory,
    armed,
    async at(tenant, point) {
      if (armed(tenant) !== point) return false;
      writeFileSync(join(directory, `${tenant}.held`), `${process.pid}\n`);
      while (!existsSync(join(directory, `${tenant}.go`))) await delay(LOOK_AGAIN_MS);
      return true;
    },
    note: (line) => appendFileSync(join(directory, 'notes'), `${line}\n`),
  };
}

/** Tenants of these tests are in the name of every place that they write. */
export function tenantIn(text: string): string {
  return /k[0-9a-f]{6}x\d\d/.exec(text)?.[0] ?? '';
}
