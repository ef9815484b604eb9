import { zookeeper } from '../../sinks/zookeeper.ts';
import { describeWith } from '../servers/describe-with.ts';
import { describeSinkContract, type ContractLeg } from './contract.ts';
import { startBench } from './zookeeper/bench.ts';

const refusedByEnv = [
  'a value with line breaks',
  'a value with quotes',
  'a key with a space',
  'a key with quotes',
  'a key with a backslash',
  'a key with signs',
  'a key in another script',
  'a key that is a number',
];
const cannot = { outage: 'staged for json', silent: 'staged for json' } as const;

/** One request takes 1 MB, with ledger and undo record; `limitProblem` refuses more. */
const legs: Readonly<Record<string, Omit<ContractLeg, 'definition' | 'start'>>> = {
  tree: { destination: { layout: 'tree' }, large: { keys: 900, characters: 300_000 }, cuts: true, faults: true },
  'document, json': {
    destination: { layout: 'document', format: 'json' },
    values: 'together',
    large: { keys: 4_000, characters: 300_000 },
    cuts: true,
    faults: true,
  },
  'document, env': {
    destination: { layout: 'document', format: 'env' },
    values: 'together',
    large: { keys: 4_000, characters: 300_000 },
    refuses: refusedByEnv,
    cannot,
  },
};

describeWith('zookeeper', 'the zookeeper sink', () => {
  for (const [name, leg] of Object.entries(legs))
    describeSinkContract(name, { ...leg, definition: zookeeper, start: () => startBench(zookeeper.destination.parse(leg.destination)) });
});
