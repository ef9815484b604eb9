import { configmap } from './configmap.ts';
import { consul } from './consul.ts';
import { helm } from './helm.ts';
import { linux } from './linux.ts';
import { mongodb } from './mongodb.ts';
import { redis } from './redis.ts';
import { s3 } from './s3.ts';
import type { SinkDefinition } from './sink.ts';
import { vercel } from './vercel.ts';
import { zookeeper } from './zookeeper.ts';

/** Every kind of sink. Vendor libraries are loaded when a sink connects, so this is cheap to import. */
export const sinkDefinitions = { configmap, consul, helm, linux, mongodb, redis, s3, vercel, zookeeper } satisfies Readonly<Record<string, SinkDefinition>>;

export type SinkKind = keyof typeof sinkDefinitions;
