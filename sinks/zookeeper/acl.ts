import { z } from 'zod';

/** Who may do what with a znode, as the protocol has it: `permissions` are bits. */
export interface AclEntry {
  readonly permissions: number;
  readonly scheme: string;
  readonly id: string;
}

/** In the order of their bits. */
const LETTERS = ['r', 'w', 'c', 'd', 'a'];
const WRITE = 2;

/** As zkCli writes it: read, write, create, delete, admin. */
const permissions = z.string().regex(/^(?!.*(.).*\1)[cdrwa]+$/, 'some of c (create), d (delete), r (read), w (write), a (admin), each once');

export const aclOption = z
  .array(
    z.strictObject({
      scheme: z.string().regex(/^[a-z0-9]+$/i, 'a scheme such as world, auth, digest, ip, sasl or x509'),
      id: z.string().default('').describe('anyone for world, user:hash for digest, empty for auth: who the sink is authenticated as'),
      permissions,
    }),
  )
  .min(1)
  .max(16);

export type AclOption = z.output<typeof aclOption>;

export function aclOf(option: AclOption): readonly AclEntry[] {
  return option.map((entry) => ({
    permissions: LETTERS.reduce((bits, letter, bit) => (entry.permissions.includes(letter) ? bits | (1 << bit) : bits), 0),
    scheme: entry.scheme,
    id: entry.id,
  }));
}

export const OPEN_TO_ALL: AclOption = [{ scheme: 'world', id: 'anyone', permissions: 'cdrwa' }];
export const CREATOR_ALL: AclOption = [{ scheme: 'auth', id: '', permissions: 'cdrwa' }];

/** Those who may write, and nobody who may only read: for the undo record, which holds what znodes with a narrower ACL had in them. */
export function writersOf(acl: readonly AclEntry[]): readonly AclEntry[] {
  const writers = acl.filter((entry) => (entry.permissions & WRITE) !== 0);
  return writers.length === 0 ? acl : writers;
}

/**
 * ZooKeeper shows the hashes of an ACL only to who has the permission `a`; to others each is `x`. Those that the configuration names are put back.
 * Null where one stays hidden: such an ACL cannot be given to a new znode, whose users would be locked out.
 */
export function unmasked(acl: readonly AclEntry[], known: readonly AclEntry[]): readonly AclEntry[] | null {
  const entries = acl.map((entry) => {
    if (!isMasked(entry)) return entry;
    const user = entry.id.slice(0, -1);
    return known.find(({ scheme, id }) => scheme === entry.scheme && id.startsWith(user) && !id.slice(user.length).includes(':'));
  });
  return entries.every((entry) => entry !== undefined) ? entries.map((entry, index) => ({ ...entry, permissions: acl[index]?.permissions ?? 0 })) : null;
}

function isMasked({ scheme, id }: AclEntry): boolean {
  return scheme === 'digest' && id.endsWith(':x');
}

/** `scheme id permissions`, as JSON of an undo record keeps it. */
export function formatAcl(acl: readonly AclEntry[]): readonly string[] {
  return acl.map(({ scheme, id, permissions: bits }) => [LETTERS.filter((_, bit) => (bits & (1 << bit)) !== 0).join(''), scheme, id].join(' '));
}

/** Inverse of {@link formatAcl}; null for what it did not make. */
export function parseAcl(formatted: unknown): readonly AclEntry[] | null {
  if (!Array.isArray(formatted) || formatted.length === 0) return null;
  const entries = formatted.map((line: unknown) => (typeof line === 'string' ? /^([rwcda]+) (\S+) ([^]*)$/.exec(line) : null));
  if (entries.some((match) => match === null)) return null;
  return aclOf(entries.map((match) => ({ permissions: match?.[1] ?? '', scheme: match?.[2] ?? '', id: match?.[3] ?? '' })));
}
