import { linux } from '../../sinks/linux.ts';
import { describeSinkContract } from './contract.ts';
import { localLeg } from './linux-bench.ts';

for (const format of Object.keys(linux.layouts).filter((each) => each !== 'env' && each !== 'json')) {
  // The calls that are cut are the same scripts with other bytes: env and json, in linux.test.ts, are cut.
  describeSinkContract(`linux ${format}, local`, { ...localLeg(format), values: 'together', differs: 'format', cuts: false });
}
