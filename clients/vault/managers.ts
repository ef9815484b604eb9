import type { Bundle, SecretManager } from '../../domain/bundle.ts';
import type { ResolveCredential } from '../../sinks/sink.ts';
import { createVaultClient } from '../vault.ts';
import type { SecretManagerClient } from './secret-client.ts';
import { SecretError } from './secret-error.ts';

/** The secret managers of all tenants, one client each, shared by the whole process. */
export interface SecretManagers {
  /** The manager as the bundle in force has it. Throws SecretError `rejected` where it has none of this name. Connects on first use. */
  get(tenant: string, manager: string): SecretManagerClient;
  close(): Promise<void>;
}

interface Entry {
  /** Tells a client that a reload of the bundle has outdated. */
  readonly settings: string;
  readonly client: SecretManagerClient;
}

/** `resolve` reads what the managers log in with. */
export function createSecretManagers(bundle: () => Bundle, resolve: ResolveCredential): SecretManagers {
  const entries = new Map<string, Entry>();
  /** Clients of before a reload that somebody may still be reading with. */
  const outdated: SecretManagerClient[] = [];

  return {
    get: (tenant, name) => {
      const manager = managerOf(bundle(), tenant, name);
      if (!manager) throw new SecretError('rejected', { manager: name }, `tenant ${tenant} has no secret manager of this name; add it to secretManagers`);
      const key = `${tenant}/${name}`;
      const settings = JSON.stringify(manager);
      const known = entries.get(key);
      if (known?.settings === settings) return known.client;
      if (known) outdated.push(known.client);
      const client = createVaultClient({ name, manager }, resolve);
      entries.set(key, { settings, client });
      return client;
    },
    close: async () => {
      const clients = [...outdated.splice(0), ...[...entries.values()].map(({ client }) => client)];
      entries.clear();
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}

function managerOf({ tenants }: Bundle, tenant: string, name: string): SecretManager | undefined {
  const managers = Object.hasOwn(tenants, tenant) ? tenants[tenant]?.secretManagers : undefined;
  return managers && Object.hasOwn(managers, name) ? managers[name] : undefined;
}
