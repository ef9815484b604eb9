import { randomBytes } from 'node:crypto';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connectTemporal, type Temporal } from '../clients/temporal.ts';
import { cleanEnvironment } from './demo/clean-environment.ts';
import { createConfigRepository } from './demo/config-repository.ts';
import { installHook } from './demo/install-hook.ts';
import { createPrinter } from './demo/printer.ts';
import type { Scene } from './demo/scene.ts';
import { createServices, ServiceEnded, startVarTrack } from './demo/services.ts';
import { printTable } from './demo/table.ts';
import { openTwoSinks } from './demo/two-sinks.ts';
import type { Hook } from './demo/webhook.ts';
import { startTemporalServer } from './dev/temporal-server.ts';
import { getTemporalCli } from './get/temporal-cli.ts';

const USAGE = `npm run demo -- [--all] [--keep] [--no-redis] [--ui-port PORT]

Starts varTrack with a Temporal server and a Git repository of its own on this machine, and shows what it does.
  --all            a sink of each kind instead of Redis and files; servers that are not there are built, which takes minutes the first time
  --keep           leaves all of it running until Ctrl-C, for pushes of your own
  --no-redis       files only, also where redis-server is installed
  --ui-port PORT   port of the Temporal UI; a free one by default`;

const examples = join(import.meta.dirname, '../examples');
const printer = createPrinter(process.stdout, process.env);
// What was still going on when a person ended the demo must not hold the process.
process.exit(await main());

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'string') {
    printer.line(options);
    return options === USAGE ? 0 : 1;
  }
  const directory = await mkdtemp(join(await realpath(tmpdir()), 'vartrack-demo-'));
  const services = createServices(directory);
  const interrupted = interruption(services.kill);
  const open: (() => Promise<void> | void)[] = [];
  const scenes: Promise<Scene>[] = [];
  let showLogs = false;
  let told: number | undefined;
  try {
    const work = show(options);
    // What it still waits for goes away with the processes; only how it ended until then counts.
    work.catch(() => undefined);
    const code = await Promise.race([work, interrupted, services.broken]);
    showLogs = code === 1;
    // Ctrl-C is how --keep ends.
    return told ?? code;
  } catch (error) {
    // Of a process that ended by itself the message has the log already.
    showLogs = !(error instanceof ServiceEnded);
    printer.line(printer.paint('red', error instanceof Error ? error.message : String(error)));
    return 1;
  } finally {
    for (const close of open.toReversed()) await close();
    await services.stop();
    // One that is still being opened is waited for: what it starts has to be stopped too.
    for (const opening of scenes) await opening.then((scene) => scene.close()).catch(() => undefined);
    if (showLogs) tellLogs();
    if (options.keep) printer.line(`All is stopped. The repository, the files and the logs are still in ${directory}`);
    else await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }

  async function openScene({ all, redis }: Options): Promise<Scene> {
    if (!all) return openTwoSinks(services, directory, join(examples, 'vartrack.yaml'), { redis });
    // With all the vendors' libraries it takes a second to load.
    const { openAllSinks } = await import('./demo/all-sinks.ts');
    return openAllSinks(join(examples, 'nine-sinks.yaml'), (line) => printer.line(`  ${line}`));
  }

  async function show(wanted: Options): Promise<number> {
    const { keep, uiPort } = wanted;
    const ready = (what: string, where: string): void => printer.line(`  ${what.padEnd(12)} ${where}`);
    printer.heading('Starting varTrack and what it needs, on this machine only');
    // Temporal's configuration fails on a file without a profile.
    await writeFile(join(directory, 'temporal.toml'), '[profile.default]\n');
    cleanEnvironment(join(directory, 'temporal.toml'));

    const temporalCli = await getTemporalCli((line) => printer.line(`  ${line}`));
    const opening = openScene(wanted);
    scenes.push(opening);
    const [server, scene] = await Promise.all([startTemporalServer({ program: temporalCli, uiPort, start: services.start }), opening]);
    ready('Temporal', `${server.address}, its UI at ${printer.paint('cyan', server.uiUrl)}`);
    for (const [what, where] of scene.shown) ready(what, where);

    const repository = await createConfigRepository(directory, join(examples, 'repository'));
    const bundle = join(directory, 'vartrack.yaml');
    await scene.writeBundle(bundle, repository.url, 'heal');
    ready('repository', repository.url);

    Object.assign(process.env, scene.credentials);
    process.env['TEMPORAL_ADDRESS'] = server.address;
    process.env['TEMPORAL_NAMESPACE'] = server.namespace;
    const webhookSecret = randomBytes(24).toString('hex');
    const { apiUrl, reload } = await startVarTrack(services, { bundle, cacheDirectory: join(directory, 'mirrors'), uiUrl: server.uiUrl, webhookSecret });
    ready('api, worker', `${apiUrl}, with the bundle ${bundle}`);

    const temporal: Temporal = await connectTemporal(undefined);
    open.push(() => temporal.close());
    const hook: Hook = { url: `${apiUrl}/webhooks/acme/config`, secret: webhookSecret, repository: repository.url };
    const setDriftMode = async (mode: 'heal' | 'warn'): Promise<void> => {
      await scene.writeBundle(bundle, repository.url, mode);
      reload();
    };
    const steps = await scene.tell({ client: temporal.client, repository, hook, printer, setDriftMode });
    printTable(printer, steps);

    const code = steps.some(({ wrong }) => wrong.length > 0) ? 1 : 0;
    if (!keep) return code;
    await installHook(repository.bare, directory, { ...hook, temporalAddress: server.address });
    printer.heading('All of it stays up until Ctrl-C. Push something yourself:');
    printer.quote([
      `git clone ${repository.url} my-config && cd my-config`,
      'edit settings/production.yaml, then: git commit -am "My change" && git push',
      '',
      `what was written   ${scene.written}`,
      `Temporal UI        ${server.uiUrl}`,
      `webhook address    ${hook.url} (its secret is in ${join(directory, 'hook.json')})`,
      `stop               Ctrl-C here, or kill ${process.pid}`,
    ]);
    told = code;
    return await services.broken;
  }

  function tellLogs(): void {
    for (const child of services.children.filter(({ name }) => name === 'api' || name === 'worker')) {
      printer.heading(`The end of the log of ${child.name}`);
      for (const line of child.tail(15).split('\n')) printer.line(line.slice(0, 500));
    }
  }
}

interface Options {
  readonly all: boolean;
  readonly keep: boolean;
  readonly redis: boolean;
  readonly uiPort: number | undefined;
}

function readOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        all: { type: 'boolean' },
        keep: { type: 'boolean' },
        'no-redis': { type: 'boolean' },
        'ui-port': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help) return USAGE;
    const port = values['ui-port'];
    if (port !== undefined && !/^[1-9]\d{0,4}$/.test(port)) return `--ui-port ${port} is no port\n\n${USAGE}`;
    return { all: values.all ?? false, keep: values.keep ?? false, redis: !values['no-redis'], uiPort: port === undefined ? undefined : Number(port) };
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`;
  }
}

/** Resolves with the exit code when a person or a supervisor ends the demo; the second Ctrl-C does not wait for an orderly end. */
function interruption(kill: () => void): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  let first = true;
  const on = (code: number) => () => {
    if (!first) kill();
    else printer.line('\nEnding…');
    first = false;
    resolve(code);
  };
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)
    process.on(signal, on(code));
  return promise;
}
