import { randomUUID } from 'node:crypto';
import { plan, planRemoval, type Policy, type WritePlan } from '../../../domain/plan.ts';
import { configmap, type ConfigmapFields } from '../../../sinks/configmap.ts';
import type { ConfigMap, ConfigMaps } from '../../../sinks/configmap/config-maps.ts';
import { createStore } from '../../../sinks/configmap/store.ts';
import type { Place, Sink } from '../../../sinks/sink.ts';
import type { KubernetesServer } from '../../servers/kubernetes.ts';
import { contextFor, entriesOf, fingerprint, owner, type Values } from '../contract/scenario.ts';
import { configMapPath, mapsFor } from './bench.ts';
import { policyOf } from '../../domain/policy-of.ts';

export interface Stage {
  readonly sink: Sink;
  readonly place: Place<ConfigmapFields>;
  /** The ConfigMap as it is, with all its metadata. */
  main(): Promise<Whole | undefined>;
  beside(): Promise<Whole | undefined>;
  planned(values: Values, policy?: Partial<Policy>): Promise<WritePlan>;
  write(values: Values, policy?: Partial<Policy>): Promise<void>;
  apply(made: WritePlan): Promise<void>;
  restore(generation: number): Promise<void>;
  giveUp(): Promise<void>;
}

export type Whole = ConfigMap & { readonly metadata: { readonly managedFields?: readonly { readonly manager: string }[] } };

/** One place of its own in the namespace `default`, and what the tests do with it. `wrap` stands between the sink and the server. */
export function setStage(
  server: KubernetesServer,
  destination: Readonly<Record<string, unknown>> = {},
  options: { readonly name?: string; readonly wrap?: (maps: ConfigMaps) => ConfigMaps; readonly file?: string } = {},
): Stage {
  const fields = configmap.destination.parse(destination);
  const { name = `stage-${randomUUID()}`, file = 'app.yaml', wrap = (maps) => maps } = options;
  const place = { name: `default/${name}${fields.layout === 'file' ? `/${file}` : ''}`, layout: fields.layout, fields };
  const sink = createStore(wrap(mapsFor(server)));
  const named = async (which: string) => (await server.call('GET', configMapPath('default', which))) as Whole | undefined;
  const base = policyOf({ ownership: fields.layout === 'file' ? 'place' : 'keys' });
  const target = () => ({ owner, stream: 'config/main', commit: 'a'.repeat(40), write: randomUUID(), at: '2026-11-24T00:00:00Z' });

  async function planned(values: Values, policy: Partial<Policy> = {}): Promise<WritePlan> {
    const entries = entriesOf(values).map((entry) => configmap.render(entry, fields));
    const live = await sink.read(place, contextFor(entries));
    const made = plan({ ...target(), entries, inputsMoved: true }, live, { ...base, ...policy }, fingerprint);
    if (made.kind !== 'write') throw new Error(`expected a write, got ${JSON.stringify(made)}`);
    return made;
  }
  const apply = async (made: WritePlan): Promise<void> => void (await sink.apply(place, made, contextFor(made.entries)));

  return {
    sink,
    place,
    main: () => named(name),
    beside: () => named(`${name}.vartrack`),
    planned,
    write: async (values, policy) => apply(await planned(values, policy)),
    apply,
    restore: async (generation) => void (await sink.restore(place, generation, contextFor([]))),
    giveUp: async () => {
      const made = planRemoval(target(), await sink.read(place, contextFor([])), base);
      if (made.kind === 'write') await apply(made);
    },
  };
}
