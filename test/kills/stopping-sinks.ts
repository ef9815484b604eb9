import { applyScript, restoreScript } from '../../sinks/linux/scripts.ts';
import { createLinuxSink } from '../../sinks/linux/connection.ts';
import { createLocalShell } from '../../sinks/linux/local.ts';
import type { Shell } from '../../sinks/linux/shell.ts';
import { linux } from '../../sinks/linux.ts';
import { SinkError } from '../../sinks/errors.ts';
import { redis } from '../../sinks/redis.ts';
import { createCasSink } from '../../sinks/cas/cas-sink.ts';
import { s3Codec } from '../../sinks/s3/codec.ts';
import { createObjectStore } from '../../sinks/s3/object-store.ts';
import { createObjects, type Objects } from '../../sinks/s3/objects.ts';
import { clientConfig } from '../../sinks/s3/options.ts';
import { s3 } from '../../sinks/s3.ts';
import type { Place, Sink, SinkContext, SinkDefinition } from '../../sinks/sink.ts';
import { tenantIn, type Stops } from './stops.ts';

type Phase = 'apply' | 'restore';
/** A write that was held goes on whatever happened meanwhile: it may not owe it to a cancellation, which comes late or never, that it does no harm. */
const UNHEARD = new AbortController().signal;

/** The product's sinks with a place to stop before and after every call that writes, and between the steps of those that take several. */
export function stoppingSinks(stops: Stops): Readonly<Record<string, SinkDefinition>> {
  /** Of the calls to S3 that write, by tenant. */
  const phases = new Map<string, { readonly phase: Phase; claimed: boolean }>();

  /** Points: `<apply|restore>:<sink>:<before|after>-write`. */
  function stopping(sink: Sink, nameOf: (place: Place) => string): Sink {
    async function wrap<T>(phase: Phase, place: Place, context: SinkContext, write: (context: SinkContext) => Promise<T>): Promise<T> {
      const [tenant, name] = [tenantIn(place.name), nameOf(place)];
      const wasHeld = await stops.at(tenant, `${phase}:${name}:before-write`);
      if (name === 'bucket') phases.set(tenant, { phase, claimed: false });
      try {
        const receipt = await write(wasHeld ? { ...context, signal: UNHEARD } : context);
        stops.note(`${tenant} ${phase} ${name} done`);
        await stops.at(tenant, `${phase}:${name}:after-write`);
        return receipt;
      } catch (error) {
        stops.note(`${tenant} ${phase} ${name} ${error instanceof SinkError ? error.reason : String(error)}`);
        throw error;
      }
    }
    return {
      ...(sink.watch && { watch: sink.watch }),
      read: (place, context) => sink.read(place, context),
      apply: (place, plan, context) => wrap('apply', place, context, (own) => sink.apply(place, plan, own)),
      restore: (place, generation, context) => wrap('restore', place, context, (own) => sink.restore(place, generation, own)),
      close: () => sink.close(),
    };
  }

  /** Points: `<apply|restore>:bucket:before-<claim|undo|object|commit>`. */
  function stoppingObjects(objects: Objects): Objects {
    return {
      ...objects,
      async put(at, ...rest) {
        const tenant = tenantIn(at.key);
        const current = phases.get(tenant);
        const step = stepOf(at.key, current?.claimed === true);
        if (step === 'claim' && current) current.claimed = true;
        const [expected, body, attributes, signal] = rest;
        const wasHeld = current && step ? await stops.at(tenant, `${current.phase}:bucket:before-${step}`) : false;
        return objects.put(at, expected, body, attributes, wasHeld ? UNHEARD : signal);
      },
    };
  }

  /** Points: `<apply|restore>:files:before-<undo|intent|file|commit>`. The script waits, in a process group of its own that outlives a killed worker. */
  function stoppingShell(shell: Shell): Shell {
    return {
      ...shell,
      run(request) {
        const { script, header } = request;
        const phase = script === applyScript ? 'apply' : script === restoreScript ? 'restore' : undefined;
        const tenant = tenantIn(String(header['file']));
        const [armed, prefix] = [stops.armed(tenant), `${phase}:files:before-`];
        const isStopped = armed?.startsWith(prefix) && armed !== `${prefix}write` && !String(header['dir']).endsWith('/gates');
        if (!armed || !isStopped) return shell.run(request);
        return shell.run({ ...request, script: `${waitBefore(armed.slice(prefix.length), stops.directory, tenant)}\n${script}` });
      },
    };
  }

  return {
    redis: { ...redis, connect: async (options, resolve) => stopping(await redis.connect(options as never, resolve), () => 'cache') },
    s3: {
      ...s3,
      connect: async (options, resolve) => {
        const objects = stoppingObjects(createObjects(options as never, () => clientConfig(options as never, resolve)));
        return stopping(createCasSink(createObjectStore(objects), s3Codec), () => 'bucket');
      },
    },
    linux: {
      ...linux,
      connect: async (options) => {
        const { root, timeout } = options as { root: string; timeout: number };
        const shell = stoppingShell(createLocalShell());
        return stopping(createLinuxSink(shell, { root, timeoutMs: timeout }), (place) => (place.name.includes('/gates/') ? 'gate' : 'files'));
      },
    },
  };
}

function stepOf(key: string, claimed: boolean): string | null {
  if (key.endsWith('.vartrack.probe.json')) return null;
  if (key.endsWith('.vartrack.undo.json')) return 'undo';
  if (key.endsWith('.vartrack.json')) return claimed ? 'commit' : 'claim';
  return 'object';
}

/** Every step of the scripts ends with a rename: what is renamed to what names the step. */
function waitBefore(step: string, directory: string, tenant: string): string {
  return [
    'mv() {',
    'case "$*" in *" ./$undo") at=undo ;; *".intent ./$ledger") at=intent ;; *" ./$file") at=file ;; *" ./$ledger") at=commit ;; *) at= ;; esac',
    `if [ "$at" = '${step}' ]; then`,
    `printf '%s\\n' "$$" >'${directory}/${tenant}.held'`,
    `while [ -d '${directory}' ] && ! [ -e '${directory}/${tenant}.go' ]; do sleep 0.05; done`,
    'fi',
    'command mv "$@"',
    '}',
  ].join('\n');
}
