import { randomUUID } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { chmod, writeFile } from 'node:fs/promises';
import { onTestFinished } from 'vitest';
import { helm } from '../../../sinks/helm.ts';
import type { HelmFields } from '../../../sinks/helm/options.ts';
import { LEDGER_LABEL } from '../../../sinks/helm/stored-ledger.ts';
import type { Place, Sink } from '../../../sinks/sink.ts';
import { startKubernetes } from '../../servers/kubernetes.ts';
import { programOf } from '../../servers/program-of.ts';
import { createScenarios, type Scenario } from '../contract/scenario.ts';
import { startSilentServer } from '../silent-server.ts';
import { createBench, credentialsOf, optionsFor, type BenchServers } from './bench.ts';
import { chartPath, copyChart, type ChartFolder } from './chart-folder.ts';
import { personWith, type Person } from './person.ts';

/** A cluster, a person who works on it with Helm, and the sink. */
export interface Stage {
  readonly servers: BenchServers;
  readonly person: Person;
  /** A fresh place; the fields of the destination are those of the tests' chart and what is given. */
  begin(fields?: Readonly<Record<string, unknown>>): Promise<Scenario>;
  /** The same place with other fields, or through a sink with other options. */
  at(scenario: Scenario, fields: Readonly<Record<string, unknown>>): Place<HelmFields>;
  connect(options?: Readonly<Record<string, unknown>>): Promise<Sink>;
  stop(): Promise<void>;
}

export async function startStage(which: 'helm3' | 'helm4'): Promise<Stage> {
  const [kubernetes, silent, program] = await Promise.all([startKubernetes(), startSilentServer(), programOf(which)]);
  const servers = { kubernetes, silent, program };
  const bench = createBench(servers);
  const fieldsOf = (more: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => ({ chart: { path: chartPath }, ...more });
  return {
    servers,
    person: personWith(kubernetes, program),
    begin: (fields = {}) => createScenarios({ definition: helm, destination: fieldsOf(fields), start: async () => bench }, () => bench).begin(),
    at: ({ place }, fields) => ({ ...place, fields: helm.destination.parse(fieldsOf(fields)) }),
    connect: async (options = {}) => {
      const sink = await helm.connect(optionsFor(servers, options), credentialsOf(kubernetes, 'admin'));
      onTestFinished(() => sink.close());
      return sink;
    },
    stop: async () => {
      await Promise.all([kubernetes.stop(), silent.stop()]);
    },
  };
}

/** A copy of the tests' chart that is gone after the test. */
export async function chartWith(files: Readonly<Record<string, string>>): Promise<ChartFolder> {
  const chart = await copyChart();
  onTestFinished(() => chart.remove());
  for (const [name, text] of Object.entries(files)) await chart.write(name, text);
  return chart;
}

/** A program in place of Helm: a script that knows the real one as $HELM. Gone after the test, as is what it leaves in $DIR. */
export async function scriptAround(program: string, lines: string): Promise<{ readonly path: string; readonly folder: string }> {
  const { path: folder } = await chartWith({});
  const path = `${folder}/helm-${randomUUID()}.sh`;
  await writeFile(path, `#!/bin/sh\nHELM='${program}'\nDIR='${folder}'\n${lines}\n`);
  await chmod(path, 0o700);
  return { path, folder };
}

/** Makes the newest revision look as if Helm had been killed at work on it, some time ago; `whose`: with our labels or without. */
export async function leavePending(person: Person, place: string, agoMs: number, whose: 'ours' | 'stranger', status = 'pending-upgrade'): Promise<void> {
  const newest = (await person.records(place)).at(-1);
  if (!newest) throw new Error(`there is no release ${place}`);
  const stored = JSON.parse(gunzipSync(Buffer.from(Buffer.from(newest.packed, 'base64').toString('latin1'), 'base64')).toString('utf8')) as {
    info: Record<string, unknown>;
  };
  const at = new Date(Date.now() - agoMs).toISOString();
  stored.info = { ...stored.info, status, description: 'Preparing upgrade', last_deployed: at, ...(status === 'uninstalling' ? { deleted: at } : {}) };
  const release = Buffer.from(gzipSync(JSON.stringify(stored)).toString('base64')).toString('base64');
  const none = Object.fromEntries(
    Object.keys(newest.labels)
      .filter((name) => name.startsWith(LEDGER_LABEL))
      .map((name) => [name, null as unknown as string]),
  );
  await person.patch(place, newest, { labels: { status, ...(whose === 'stranger' ? none : {}) }, release });
}
