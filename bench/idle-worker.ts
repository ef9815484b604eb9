// A worker of the SDK with the least there can be to do; `memory.ts` and `drift.ts` start it.
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';

Runtime.install({ logger: new DefaultLogger('ERROR') });
const connection = await NativeConnection.connect({ address: process.env['IDLE_WORKER_ADDRESS'] ?? '' });
const workflowsPath = new URL('empty-workflow.ts', import.meta.url).pathname;
const worker = await Worker.create({ connection, taskQueue: 'idle', workflowsPath });
await worker.run();
