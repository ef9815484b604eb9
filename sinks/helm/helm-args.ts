import { formatOwner, type Ledger } from '../../domain/ledger.ts';
import type { HelmPlace } from './releases.ts';
import type { Labels } from './stored-ledger.ts';

/** Nothing of them is a value: anybody on the machine can read the arguments of a process. */
export function upgradeArgs(place: HelmPlace, ledger: Ledger, labels: Labels, historyMax: number): readonly string[] {
  return [
    '--install',
    // Without, Helm takes the values of before where none are given.
    '--reset-values',
    '--values',
    '-',
    '--history-max',
    String(historyMax),
    '--description',
    describe(ledger),
    '--labels',
    Object.entries(labels)
      .map((label) => label.join('='))
      .join(','),
    ...waitArgs(place),
    ...hookArgs(place),
    ...(place.fields.createNamespace ? ['--create-namespace'] : []),
  ];
}

export function waitArgs({ fields }: HelmPlace): readonly string[] {
  return fields.wait ? ['--wait'] : [];
}

export function hookArgs({ fields }: HelmPlace): readonly string[] {
  return fields.hooks ? [] : ['--no-hooks'];
}

/** For people, in `helm history`. */
function describe({ owner, commit, generation }: Ledger): string {
  return `varTrack: ${formatOwner(owner)} at ${commit.slice(0, 12)}, generation ${generation}`;
}
