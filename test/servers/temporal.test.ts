import { Connection } from '@temporalio/client';
import { expect, inject, test } from 'vitest';

import { describeWith } from './describe-with.ts';

describeWith('temporal', "the run's Temporal server", () => {
  test('answers at the address that every test file gets, with the namespace registered', async () => {
    const { address, namespace } = inject('temporal');
    const connection = await Connection.connect({ address });
    try {
      const { namespaceInfo } = await connection.workflowService.describeNamespace({ namespace });
      expect(namespaceInfo?.name).toBe(namespace);
    } finally {
      await connection.close();
    }
  });
});
