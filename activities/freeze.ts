import { lastOccurrence } from '../clients/cron.ts';
import type { Bundle } from '../domain/bundle.ts';
import type { Freeze } from '../domain/drift.ts';
import { openFreeze } from '../domain/freeze.ts';

/** The freeze of a whole tenant at a moment, by the clock of this process. */
export function freezeOf(bundle: Bundle, tenant: string, at: Date): Freeze | null {
  return openFreeze(bundle.tenants[tenant]?.freeze ?? [], at, lastOccurrence);
}

/** The freeze of one rule of it, from the rule's own windows only. */
export function ruleFreezeOf(bundle: Bundle, tenant: string, rule: string, at: Date): Freeze | null {
  return openFreeze(bundle.tenants[tenant]?.rules[rule]?.freeze ?? [], at, lastOccurrence);
}

/** What holds up a write of a rule, with the rule where it is only its own. */
export function freezeAt(bundle: Bundle, tenant: string, rule: string, at: Date): (Freeze & { readonly rule?: string }) | null {
  const own = ruleFreezeOf(bundle, tenant, rule, at);
  return freezeOf(bundle, tenant, at) ?? (own && { ...own, rule });
}

export function frozenWords({ until, reason, rule }: Freeze & { readonly rule?: string }): string {
  return `${rule === undefined ? '' : `rule ${rule} is `}frozen until ${until}: ${reason}`;
}

export function frozenMessage(freeze: Freeze & { readonly rule?: string }): string {
  return `${frozenWords(freeze)}; what is newest then is applied, and "vartrack sync --force" does not wait`;
}
