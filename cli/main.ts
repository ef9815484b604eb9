#!/usr/bin/env node
import { Command, InvalidArgumentError } from 'commander';
import type { DevOptions } from './dev.ts';
import type { DriftOptions } from './drift.ts';
import { exitCodeHelp } from './exit-codes.ts';
import type { HealOptions } from './heal.ts';
import type { PauseOptions } from './pause.ts';
import type { PlanOptions } from './plan.ts';
import { runCommand, runProcess, type AnswerOptions } from './run-command.ts';
import type { SyncOptions } from './sync.ts';

// Each command is imported when it is asked for: `--help` and `check` do without the Temporal SDK.

const program = new Command('vartrack')
  .description('Git as the single authority for runtime configuration: validated, written everywhere as one unit, proven by read-back')
  .addHelpText(
    'after',
    `\n${exitCodeHelp()}\n\nEnvironment: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, VARTRACK_BUNDLE, VARTRACK_TASK_QUEUE, VARTRACK_CODEC_KEY, NO_COLOR`,
  )
  .showHelpAfterError('(vartrack --help shows the commands)');

answering(program.command('check'))
  .description('read a bundle, tell every problem or what it means; asks nothing of the outside world')
  .argument('[bundle]', 'the bundle; $VARTRACK_BUNDLE or vartrack.yaml unless given')
  .action((bundle: string | undefined, options: AnswerOptions) =>
    runCommand(options, async () => {
      const { runCheck } = await import('./check.ts');
      return runCheck(bundle ?? (process.env['VARTRACK_BUNDLE'] || 'vartrack.yaml'));
    }),
  );

withRef(answering(program.command('plan')))
  .description('what a commit would change, by target and key; writes nothing')
  .option('--commit <sha>', 'plan this commit as if the ref were there')
  .option('--allow-deletes', 'as if deletes beyond limits.deletes were allowed')
  .option('--local', 'plan in this process with the credentials of this environment, and show values in clear')
  .option('--detailed-exitcode', 'exit with 8 if there are changes')
  .action((tenant: string, repository: string, ref: string | undefined, options: PlanOptions & AnswerOptions) =>
    runCommand(options, async () => {
      const { runPlan } = await import('./plan.ts');
      return runPlan(tenant, repository, { ...options, ...(ref !== undefined && { ref }) });
    }),
  );

withRef(answering(program.command('sync')))
  .description('bring a stream to its head now, and wait for how that ends')
  .option('--allow-deletes', 'allow this run to delete more than limits.deletes')
  .option('--force', 'also in a freeze; who asked is recorded')
  .option('--no-wait', 'do not wait for the end')
  .action((tenant: string, repository: string, ref: string | undefined, options: SyncOptions & AnswerOptions) =>
    runCommand(options, async () => {
      const { runSync } = await import('./sync.ts');
      return runSync(tenant, repository, { ...options, ...(ref !== undefined && { ref }) });
    }),
  );

withBundle(answering(program.command('status')))
  .description('how the last run of every stream ended, how its targets stand, and what is paused')
  .argument('[tenant]', 'only this tenant')
  .action((tenant: string | undefined, options: AnswerOptions & { readonly bundle?: string }) =>
    runCommand(options, async () => {
      const { runStatus } = await import('./status.ts');
      return runStatus(tenant, options);
    }),
  );

withBundle(answering(program.command('drift')))
  .description('what differs from what was applied last, by target and key')
  .argument('[tenant]', 'only this tenant')
  .option('--watch', 'go on until Ctrl-C: a terminal is drawn anew, anything else gets a line for each change')
  .option('--all', 'also the targets that are as they should be')
  .option('--detailed-exitcode', 'exit with 8 if there is drift')
  .action((tenant: string | undefined, options: DriftOptions & AnswerOptions & { readonly watch?: boolean }) =>
    options.watch
      ? runProcess(options, async () => (await import('./watch-drift.ts')).watchDrift(tenant, options))
      : runCommand(options, async () => (await import('./drift.ts')).runDrift(tenant, options)),
  );

withBundle(answering(program.command('heal')))
  .description('put drifted targets right now, whatever was tried before, and wait for how that ends')
  .argument('<tenant>')
  .argument('[targets...]', 'such as settings/production/0: rule, environment and destination; all unless given')
  .option('--reason <text>', 'why, for people')
  .option('--force', 'also in a freeze')
  .option('--no-wait', 'do not wait for the end')
  .action((tenant: string, targets: readonly string[], options: HealOptions & AnswerOptions) =>
    runCommand(options, async () => (await import('./heal.ts')).runHeal(tenant, targets, options)),
  );

withBundle(answering(program.command('rotate')))
  .description('look for newer versions of secrets now, and write them to the targets that refer to them')
  .argument('<tenant>')
  .action((tenant: string, options: AnswerOptions & { readonly bundle?: string }) =>
    runCommand(options, async () => (await import('./rotate.ts')).runRotate(tenant, options)),
  );

withBundle(answering(program.command('pause')))
  .description('stop every write of a tenant')
  .argument('<tenant>')
  .requiredOption('--reason <text>', 'why, for people')
  .option('--until <time>', 'when it ends by itself: 30m, 2h, or a time such as 2026-12-01T06:00Z')
  .action((tenant: string, options: PauseOptions & AnswerOptions) =>
    runCommand(options, async () => {
      const { runPause } = await import('./pause.ts');
      return runPause(tenant, options);
    }),
  );

withBundle(answering(program.command('resume')))
  .description('end the pause of a tenant, and bring every stream to its head')
  .argument('<tenant>')
  .action((tenant: string, options: AnswerOptions & { readonly bundle?: string }) =>
    runCommand(options, async () => {
      const { runResume } = await import('./pause.ts');
      return runResume(tenant, options);
    }),
  );

const codec = program.command('codec').description('the keys of encrypted payloads');

answering(codec.command('key'))
  .description('make a new key')
  .action((options: AnswerOptions) => runCommand(options, async () => (await import('./codec.ts')).runCodecKey()));

withBundle(answering(codec.command('status')))
  .description('which keys are still needed, and by what')
  .action((options: AnswerOptions & { readonly bundle?: string }) => runCommand(options, async () => (await import('./codec.ts')).runCodecStatus(options)));

withBundle(answering(codec.command('rotate')))
  .description('let the open runs of every tenant go on with the newest key')
  .action((options: AnswerOptions & { readonly bundle?: string }) => runCommand(options, async () => (await import('./codec.ts')).runCodecRotate(options)));

running(program.command('api'))
  .description('run the api, which takes the webhooks')
  .action((options: AnswerOptions) => runProcess(options, async () => (await import('../api/main.ts')).runApi()));

running(program.command('worker'))
  .description('run a worker, which does the work')
  .action((options: AnswerOptions) =>
    runProcess(options, async () => {
      const { runWorkerProcess } = await import('./worker.ts');
      await runWorkerProcess();
    }),
  );

running(program.command('dev'))
  .description('run a Temporal development server, the api and a worker, until Ctrl-C')
  .option('--bundle <path>', 'the bundle; $VARTRACK_BUNDLE or vartrack.yaml unless given')
  .option('--port <port>', 'of the api', portNumber, 8080)
  .option('--temporal-port <port>', 'of the Temporal server', portNumber, 7233)
  .option('--ui-port <port>', 'of the Temporal UI', portNumber, 8233)
  .option('--db-filename <path>', 'keep the state of the Temporal server in this file; in memory unless given')
  .action((options: DevOptions & AnswerOptions) =>
    runProcess(options, async () => {
      const { runDev } = await import('./dev.ts');
      await runDev(options);
    }),
  );

await program.parseAsync();

function answering(command: Command): Command {
  return running(command).option('--json', 'one JSON document on standard output');
}

function running(command: Command): Command {
  return command.option('--debug', 'show stack traces');
}

function withBundle(command: Command): Command {
  return command.option('--bundle <path>', 'the bundle; $VARTRACK_BUNDLE or vartrack.yaml unless given');
}

function withRef(command: Command): Command {
  return withBundle(command)
    .argument('<tenant>')
    .argument('<repository>')
    .argument('[ref]', 'a branch; may be left out where the rules name only one')
    .option('--tag <name>', 'a tag in place of a branch')
    .option('--pull-request <number>', 'a pull request in place of a branch', positiveNumber);
}

function positiveNumber(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError('It is not a positive number.');
  return Number(text);
}

function portNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > 65_535) throw new InvalidArgumentError('It is not a port from 1 to 65535.');
  return Number(text);
}
