import type { SyncRequest } from './messages.ts';

/** Whether it mends what an older request wrote; such a one gives way to all others. */
export function isHeal(request: SyncRequest): boolean {
  return request.only !== undefined;
}

/**
 * Takes from the inbox what is worked next, the newest last, and drops what was `seen` before. Any other request wins over all heals, which then end with
 * it: what they were to mend is written by the newer one, or found again. Without one they are worked one by one, each at its own commit and of its own
 * targets, and none while an undo is `owed`.
 */
export function takeRequests(inbox: SyncRequest[], seen: Set<string>, owed: boolean): readonly SyncRequest[] {
  const fresh = [...new Map(inbox.splice(0).map((request) => [request.id, request])).values()].filter(({ id }) => !seen.has(id));
  const taken = fresh.every(isHeal) ? fresh.slice(0, owed ? 0 : 1) : [...fresh.filter(isHeal), ...fresh.filter((request) => !isHeal(request))];
  inbox.push(...fresh.slice(taken.length));
  for (const { id } of taken) seen.add(id);
  return taken;
}
