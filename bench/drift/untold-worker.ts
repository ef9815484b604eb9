// A worker whose sinks do not tell of changes, so that the intervals alone find them.
import { sinkDefinitions } from '../../sinks/registry.ts';
import { runWorker } from '../../worker/main.ts';

for (const definition of Object.values(sinkDefinitions)) (definition as { notifies: boolean }).notifies = false;
await runWorker();
