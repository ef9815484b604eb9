import { describeSinkContract } from './contract.ts';
import { localLeg } from './linux-bench.ts';

// The other formats are in linux-formats.test.ts, so that the two run beside each other.
// The way of a value to a file and back is the same for both; how each format writes it, test/clients/formats tries value by value.
describeSinkContract('linux env, local', { ...localLeg('env'), values: 'together' });
describeSinkContract('linux json, local', localLeg('json'));
