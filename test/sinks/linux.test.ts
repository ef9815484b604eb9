import { describeSinkContract } from './contract.ts';
import { localLeg } from './linux-bench.ts';

// The other formats are in linux-formats.test.ts, so that the two run beside each other.
describeSinkContract('linux env, local', localLeg('env'));
describeSinkContract('linux json, local', localLeg('json'));
