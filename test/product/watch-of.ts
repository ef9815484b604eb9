import type { SignalDefinition } from '@temporalio/client';
import { vi } from 'vitest';
import type { WatchedTarget } from '../../domain/drift.ts';
import { driftStateQuery, driftWorkflowId, type DriftWatchState } from '../../workflows/messages.ts';
import type { Stack } from './stack.ts';

/** The watch of a stack's tenant, as people see it. */
export interface TestWatch {
  state(): Promise<DriftWatchState>;
  /** By its id; throws where there is none. */
  target(id: string): Promise<WatchedTarget>;
  /** Its page in the Temporal UI. */
  page(): Promise<string>;
  signal<Arguments extends unknown[]>(signal: SignalDefinition<Arguments>, ...args: Arguments): Promise<void>;
  /** The pause that writes go by. */
  pause(): Promise<unknown>;
}

export function watchOf(stack: Stack): TestWatch {
  const handle = () => stack.temporal.client.workflow.getHandle(driftWorkflowId(stack.tenant));
  const state = () => handle().query(driftStateQuery);
  return {
    state,
    async target(id) {
      const { targets } = await state();
      const found = targets.find((each) => each.id === id);
      if (!found) throw new Error(`of ${id} nothing is known, but of ${targets.map((each) => each.id).join(', ')}`);
      return found;
    },
    page: async () => (await handle().query<{ readonly currentDetails: string }>('__temporal_workflow_metadata')).currentDetails,
    signal: (signal, ...args) => handle().signal(signal, ...args),
    pause: async () => (await handle().describe()).memo?.['pause'],
  };
}

/** Waits until nothing is thrown any more. */
export function eventually(expectation: () => Promise<void>, timeout = 30_000): Promise<void> {
  return vi.waitFor(expectation, { timeout, interval: 50 });
}
