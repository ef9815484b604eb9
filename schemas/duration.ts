import { z } from 'zod';

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const form = /^([1-9]\d{0,8})(ms|s|m|h)$/;

/** `500ms`, `60s`, `2m`, `1h` → milliseconds. */
export const duration = z
  .string({ error: 'write a duration such as 500ms, 60s, 2m or 1h' })
  .regex(form, { error: 'write a duration such as 500ms, 60s, 2m or 1h' })
  .transform((text) => {
    const [, count, unit] = form.exec(text) ?? [];
    return Number(count) * (unitMs[unit ?? ''] ?? Number.NaN);
  });
