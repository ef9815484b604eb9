import { linux } from '../../../sinks/linux.ts';
import { describeWith } from '../../servers/describe-with.ts';
import { describeSinkContract } from '../contract.ts';
import { sshLeg } from '../linux-bench.ts';

const staged = 'staged for json: the connection does not know the format';

// All but json, which ssh.test.ts has.
describeWith('sshd', 'over SSH, other formats', () => {
  for (const format of Object.keys(linux.layouts).filter((each) => each !== 'json')) {
    describeSinkContract(`linux ${format}, ssh`, { ...sshLeg(format), cannot: { 'wrong-credentials': staged, gone: staged, silent: staged, outage: staged } });
  }
});
