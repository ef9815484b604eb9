import { describeWith } from '../servers/describe-with.ts';
import { describeSinkContract } from './contract.ts';
import { s3Leg, shareSeaweed, stagedElsewhere } from './s3-bench.ts';

describeWith('seaweedfs', 'the s3 sink, in a bucket that keeps versions', () => {
  const server = shareSeaweed();
  const leg = { values: 'together', cannot: stagedElsewhere } as const;
  describeSinkContract('keys', s3Leg(server, { ...leg, destination: { layout: 'keys' }, large: { keys: 100 } }, 'kept'));
  describeSinkContract('json', s3Leg(server, { ...leg, destination: { format: 'json' }, cuts: false }, 'kept'));
});
