import { linux } from '../../sinks/linux.ts';
import { describeSinkContract } from './contract.ts';
import { localLeg } from './linux-bench.ts';

for (const format of Object.keys(linux.layouts).filter((each) => each !== 'env' && each !== 'json')) {
  describeSinkContract(`linux ${format}, local`, { ...localLeg(format), values: 'together' });
}
