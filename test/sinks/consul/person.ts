import type { ConsulServer } from '../../servers/consul.ts';

export interface Pair {
  readonly Key: string;
  /** Base64; null for an empty value. */
  readonly Value: string | null;
  readonly Flags: number;
  readonly ModifyIndex: number;
}

/** What somebody with all rights sees and does, without the sink: by transactions, which take every name. */
export function createPerson({ url, managementToken }: ConsulServer) {
  const headers = { 'x-consul-token': managementToken };

  async function transact(...operations: readonly object[]): Promise<void> {
    const answer = await fetch(`${url}/v1/txn`, { method: 'PUT', headers, body: JSON.stringify(operations.map((KV) => ({ KV }))) });
    if (!answer.ok) throw new Error(`consul: ${answer.status} ${await answer.text()}`);
  }

  return {
    put: async (Key: string, value: string | Buffer, Flags = 0): Promise<void> => {
      const bytes = Buffer.from(value);
      if (bytes.length < 300_000) return await transact({ Verb: 'set', Key, Value: bytes.toString('base64'), Flags });
      const answer = await fetch(`${url}/v1/kv/${Key}?flags=${Flags}`, { method: 'PUT', headers, body: bytes });
      if (!answer.ok) throw new Error(`consul: ${answer.status} ${await answer.text()}`);
    },
    delete: (Key: string): Promise<void> => transact({ Verb: 'delete', Key }),
    list: async (prefix: string): Promise<readonly Pair[]> => {
      const answer = await fetch(`${url}/v1/kv/${prefix}?recurse&consistent`, { headers });
      if (answer.status === 404) return [];
      if (!answer.ok) throw new Error(`consul: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as readonly Pair[];
    },
  };
}
