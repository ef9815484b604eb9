import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

/** What runs can be found by in the Temporal UI and CLI. Never encrypted: names and statuses only. Registered at boot by `clients/temporal.ts`. */
export const searchAttributes = {
  tenant: defineSearchAttributeKey('Tenant', SearchAttributeType.KEYWORD),
  repository: defineSearchAttributeKey('Repository', SearchAttributeType.KEYWORD),
  stream: defineSearchAttributeKey('Stream', SearchAttributeType.KEYWORD),
  commit: defineSearchAttributeKey('Commit', SearchAttributeType.KEYWORD),
  trigger: defineSearchAttributeKey('Trigger', SearchAttributeType.KEYWORD),
  status: defineSearchAttributeKey('SyncStatus', SearchAttributeType.KEYWORD),
  environments: defineSearchAttributeKey('Environments', SearchAttributeType.KEYWORD_LIST),
  /** Of a DriftWatch workflow, see `WatchStatus`. */
  drift: defineSearchAttributeKey('DriftStatus', SearchAttributeType.KEYWORD),
  sinks: defineSearchAttributeKey('Sinks', SearchAttributeType.KEYWORD_LIST),
} as const;
