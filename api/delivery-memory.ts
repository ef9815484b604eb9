import { LRUCache } from 'lru-cache';

export interface DeliveryMemory {
  has(tenant: string, repository: string, deliveryId: string): boolean;
  add(tenant: string, repository: string, deliveryId: string): void;
}

/**
 * Deliveries that were accepted lately. It spares a workflow the repeats; that they write nothing does not rest on it, so it may forget, and it is
 * told of a delivery only after that was accepted: one that failed can be sent again.
 */
export function createDeliveryMemory({ max = 20_000, ttlMs = 24 * 3_600_000, now = Date.now } = {}): DeliveryMemory {
  const seen = new LRUCache<string, true>({ max, ttl: ttlMs, perf: { now } });
  return {
    has: (...delivery) => seen.has(JSON.stringify(delivery)),
    add: (...delivery) => void seen.set(JSON.stringify(delivery), true),
  };
}
