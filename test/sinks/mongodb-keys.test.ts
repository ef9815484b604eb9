import { mongodb } from '../../sinks/mongodb.ts';
import { describeWith } from '../servers/describe-with.ts';
import { describeSinkContract } from './contract.ts';
import { startBench } from './mongodb/bench.ts';

const destination = { layout: 'keys', names: 'plain' };

describeWith('ferretdb', 'the mongodb sink', () => {
  describeSinkContract('keys', {
    definition: mongodb,
    destination,
    // Several batches; a statement of FerretDB scans the collection.
    large: { keys: 300 },
    values: 'together',
    connections: 'shared',
    cuts: true,
    faults: 'few',
    start: () => startBench(mongodb.destination.parse(destination)),
  });
});
