import { linux } from '../../sinks/linux.ts';
import { describeSinkContract } from './contract.ts';
import { legFor, startLocalBench } from './linux-bench.ts';

const noServer = 'there is no server: the commands run on this machine';

for (const format of Object.keys(linux.layouts)) {
  describeSinkContract(`linux ${format}, local`, {
    ...legFor(format),
    // Below the call, test/sinks/linux/connection.test.ts kills the script at every one of its steps.
    cuts: format === 'json',
    cannot: { 'wrong-credentials': noServer, gone: noServer, silent: noServer, outage: noServer },
    start: startLocalBench,
  });
}
