import { linux } from './linux.ts';
import { redis } from './redis.ts';
import type { SinkDefinition } from './sink.ts';

/** Every kind of sink. Vendor libraries are loaded when a sink connects, so this is cheap to import. */
export const sinkDefinitions = { linux, redis } satisfies Readonly<Record<string, SinkDefinition>>;

export type SinkKind = keyof typeof sinkDefinitions;
