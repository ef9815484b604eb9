/** Time between checks whatever a bundle says. */
const LEAST_MS = 1_000;

/**
 * When the clock of an interval ticks next. All clocks of a tenant are shifted by the same time, made from its name: its intervals meet where they can, and a
 * thousand tenants do not check in the same second.
 */
export function nextTick(tenant: string, intervalMs: number, now: number): number {
  const interval = Math.max(intervalMs, LEAST_MS);
  const shift = hashOf(tenant) % interval;
  return Math.floor((now - shift) / interval + 1) * interval + shift;
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return hash;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
