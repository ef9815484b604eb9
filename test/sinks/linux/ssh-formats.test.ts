import { describeWith } from '../../servers/describe-with.ts';
import { describeSinkContract } from '../contract.ts';
import { sshLeg } from '../linux-bench.ts';

const staged = 'staged for json: the connection does not know the format';

// The default beside json, which ssh.test.ts has. The connection does not know the format: all six are run on this machine (linux*.test.ts).
describeWith('sshd', 'over SSH, the default format', () => {
  describeSinkContract('linux env, ssh', { ...sshLeg('env'), cannot: { 'wrong-credentials': staged, gone: staged, silent: staged, outage: staged } });
});
