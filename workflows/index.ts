export { driftWatchWorkflow } from './drift-watch.ts';
export { planWorkflow } from './plan.ts';
export { syncWorkflow } from './sync.ts';
