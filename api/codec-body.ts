import type { Payload } from '@temporalio/common';
import { z } from 'zod';

const payloadsSchema = z.object({
  payloads: z.array(z.object({ metadata: z.record(z.string(), z.base64()).optional(), data: z.base64().optional() })).max(10_000),
});

/** Payloads as JSON of the protocol has them, with base64 for bytes; or what is wrong with them. */
export function parsePayloads(body: Buffer): Payload[] | string {
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    return 'the body is not JSON';
  }
  const parsed = payloadsSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return `the body is not { "payloads": [ { "metadata": { … }, "data": "base64" } ] }: ${issue?.path.join('.') || 'body'}: ${issue?.message ?? ''}`;
  }
  return parsed.data.payloads.map(({ metadata, data }) => ({
    metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value, 'base64')])),
    data: Buffer.from(data ?? '', 'base64'),
  }));
}

export function writePayloads(payloads: readonly Payload[]): z.infer<typeof payloadsSchema> {
  return {
    payloads: payloads.map(({ metadata, data }) => ({
      metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)])),
      data: base64(data),
    })),
  };
}

function base64(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString('base64');
}
