export { driftWatchWorkflow } from './drift-watch.ts';
export { syncWorkflow } from './sync.ts';
