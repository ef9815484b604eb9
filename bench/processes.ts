import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** Bytes; 0 of one that has ended. */
export function residentOf(pid: number): number {
  try {
    const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** All that run below a process, whoever started them. */
export function childrenOf(pid: number): readonly number[] {
  try {
    const own = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
    return own.flatMap((child) => [child, ...childrenOf(child)]);
  } catch {
    return [];
  }
}

/** Seconds of processor time: its own, and that of its children, those that ended too. */
export function processorTimeOf(pid: number): { readonly own: number; readonly below: number } {
  const { own, ended } = timesOf(pid);
  const running = childrenOf(pid).map(timesOf);
  return { own, below: ended + running.reduce((sum, child) => sum + child.own + child.ended, 0) };
}

/** The child of this process that runs a program of that name. */
export function serverNamed(name: string): number {
  const found = childrenOf(process.pid).find((pid) => commandOf(pid) === name);
  if (found === undefined) throw new Error(`no ${name} runs below this process`);
  return found;
}

function timesOf(pid: number): { readonly own: number; readonly ended: number } {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name, which may have spaces and brackets, in the order of proc(5): state is the third field, utime the fourteenth.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15);
    return { own: (utime + stime) / TICKS_PER_SECOND, ended: (cutime + cstime) / TICKS_PER_SECOND };
  } catch {
    return { own: 0, ended: 0 };
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}
