import { DefaultFailureConverter } from '@temporalio/common';

/** Used when payloads are encrypted: messages and stack traces of failures are then encrypted like payloads. Loaded by path, by this name. */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
