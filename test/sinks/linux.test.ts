import { linux } from '../../sinks/linux.ts';
import { describeWith } from '../servers/describe-with.ts';
import { describeSinkContract, type ContractLeg } from './contract.ts';
import { startLocalBench, startSshBench } from './linux-bench.ts';

const noServer = 'there is no server: the commands run on this machine';

const refuses: Readonly<Record<string, readonly string[]>> = {
  // Names are those of POSIX; a value is one that sh and dotenv readers take alike.
  env: [
    'a value with line breaks',
    'a value with quotes',
    'a key with a space',
    'a key with quotes',
    'a key with a backslash',
    'a key with signs',
    'a key in another script',
    'a key that is a number',
  ],
  ini: ['a key with signs'],
};

for (const format of Object.keys(linux.layouts)) {
  const leg: Omit<ContractLeg, 'start'> = {
    definition: linux as unknown as ContractLeg['definition'],
    destination: { format },
    refuses: refuses[format] ?? [],
  };
  describeSinkContract(`linux ${format}, local`, {
    ...leg,
    cannot: { 'wrong-credentials': noServer, gone: noServer, silent: noServer, outage: noServer },
    start: startLocalBench,
  });
  describeWith('sshd', 'over SSH', () => describeSinkContract(`linux ${format}, ssh`, { ...leg, start: startSshBench }));
}
