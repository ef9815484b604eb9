import { mongodb } from '../../sinks/mongodb.ts';
import { describeWith } from '../servers/describe-with.ts';
import { describeSinkContract } from './contract.ts';
import { startBench } from './mongodb/bench.ts';

const destination = { names: 'plain' };
/** Names of fields that FerretDB does not take, and MongoDB does. */
const refuses = ['a key with a literal dot', 'a key with quotes', 'a key with a backslash'];

describeWith('ferretdb', 'the mongodb sink', () => {
  describeSinkContract('document', {
    definition: mongodb,
    destination,
    refuses,
    // test/sinks/mongodb/bson-value.test.ts tries the values one by one.
    values: 'together',
    connections: 'shared',
    cuts: true,
    faults: 'few',
    start: () => startBench(mongodb.destination.parse(destination)),
  });
});
