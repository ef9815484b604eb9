import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { FAILURE_CONVERTER_PATH } from '../clients/temporal.ts';

/** Bundles the workflows as every worker of the product runs them; `encrypted` as {@link createDataConverter} was given a key. */
export function bundleWorkflows(encrypted: 'encrypted' | 'plain'): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
    ...(encrypted === 'encrypted' && { failureConverterPath: FAILURE_CONVERTER_PATH }),
    // Says nothing but the size of the bundle.
    logger: { log: ignore, trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore },
  });
}

function ignore(): void {}
