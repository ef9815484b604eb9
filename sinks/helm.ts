import type { RenderedEntry } from '../domain/plan.ts';
import { formatPath, type Value } from '../domain/value.ts';
import { SinkError } from './errors.ts';
import { helmDestination, helmOptions, type HelmFields, type HelmOptions } from './helm/options.ts';
import { placeNameProblem } from './helm/release-name.ts';
import { createReleases } from './helm/releases.ts';
import { createStore } from './helm/store.ts';
import { clusterOf } from './kubernetes/access-options.ts';
import { documentProblem, renderLeaf } from './leaf-document.ts';
import { defineSink } from './sink.ts';

/** A Secret takes 1 MiB, in which values and chart are compressed; above this, values alone are more than a chart is meant for. */
const MAX_VALUES_BYTES = 1024 * 1024;

/** Values of Helm releases, written by the Helm program: revisions, hooks and history are as if a person had run it. */
export const helm = defineSink<HelmOptions, HelmFields>({
  kind: 'helm',
  layouts: { values: { values: 'readable', ownership: 'place', atomicity: 'place' } },
  notifies: true,
  options: helmOptions,
  destination: helmDestination,
  system: clusterOf,
  placeProblem: (name) => placeNameProblem(name),
  identity: (name) => name,

  render(entry): RenderedEntry {
    const key = formatPath(entry.path);
    if (!isExact(entry.value)) {
      const message = `the value of ${key} has an integer beyond ±(2^53-1), which Helm keeps as a float and would change; write it as text`;
      throw new SinkError('unsupported', message, { key });
    }
    return renderLeaf(entry, 'json');
  },

  limitProblem: (entries) => documentProblem(entries, 'values', 'json', MAX_VALUES_BYTES),
  connect: async (options, resolve) => createStore(createReleases(options, resolve), options),
});

function isExact(value: Value): boolean {
  if (typeof value === 'bigint') return false;
  if (typeof value !== 'object' || value === null) return true;
  return [...value.values()].every(isExact);
}
