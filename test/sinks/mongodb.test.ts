import { mongodb } from '../../sinks/mongodb.ts';
import { describeWith } from '../servers/describe-with.ts';
import { describeSinkContract, type ContractLeg } from './contract.ts';
import { startBench } from './mongodb/bench.ts';

/** Names of fields that FerretDB does not take, and MongoDB does. */
const refuses = ['a key with a literal dot', 'a key with quotes', 'a key with a backslash'];

const legs: Readonly<Record<string, Omit<ContractLeg, 'definition' | 'start'>>> = {
  document: { destination: { names: 'plain' }, refuses, cuts: true, faults: true },
  // An update of FerretDB is a scan of the collection for each statement.
  keys: { destination: { layout: 'keys', names: 'plain' }, large: { keys: 500 }, cuts: true, faults: true },
};

describeWith('ferretdb', 'the mongodb sink', () => {
  for (const [name, leg] of Object.entries(legs))
    describeSinkContract(name, { ...leg, definition: mongodb, start: () => startBench(mongodb.destination.parse(leg.destination)) });
});
