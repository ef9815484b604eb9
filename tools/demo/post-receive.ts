// The post-receive hook of the demo's repository: `old new ref` lines on the standard input, what became of each on the pusher's terminal.
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { userInfo } from 'node:os';
import { connectTemporal } from '../../clients/temporal.ts';
import { cleanEnvironment } from './clean-environment.ts';
import type { HookFile } from './install-hook.ts';
import { outcomeOf, tellOutcome } from './outcome.ts';
import { createPrinter } from './printer.ts';
import { sendWebhook } from './webhook.ts';

const DELETED = /^0+$/;
const printer = createPrinter(process.stdout, process.env);
const file = process.argv[2] ?? '';
const hook = JSON.parse(await readFile(file, 'utf8')) as HookFile;
cleanEnvironment(join(dirname(file), 'temporal.toml'));
process.env['TEMPORAL_ADDRESS'] = hook.temporalAddress;

for await (const line of createInterface({ input: process.stdin })) {
  const [, commit = '', ref = ''] = line.split(' ');
  if (!DELETED.test(commit)) await tell(ref, commit);
}

async function tell(ref: string, commit: string): Promise<void> {
  try {
    const id = randomUUID();
    const answer = await sendWebhook(hook, { id, ref, commit, by: userInfo().username });
    printer.line(`varTrack: ${answer.code} ${answer.status}${answer.why ? `: ${answer.why}` : ''}`);
    if (answer.workflowId === undefined) return;
    printer.line(answer.links?.ui ?? '');
    const temporal = await connectTemporal(undefined);
    try {
      for (const text of tellOutcome(await outcomeOf(temporal.client, answer, id))) printer.line(text);
    } finally {
      await temporal.close();
    }
  } catch (error) {
    // The push itself is done; only what follows it is not.
    printer.line(`varTrack could not be told: ${error instanceof Error ? error.message : String(error)}`);
  }
}
