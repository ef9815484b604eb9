import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import proto from '@temporalio/proto';
import { searchAttributes } from '../workflows/search-attributes.ts';
import { parseCodecKeys } from './codec-key.ts';
import { createPayloadCodec } from './payload-codec.ts';

export interface Temporal {
  readonly client: Client;
  readonly connection: Connection;
  readonly namespace: string;
  close(): Promise<void>;
}

/** What client and worker must agree on: with a key (or several, see VARTRACK_CODEC_KEY), every payload and failure is encrypted before it leaves the process. */
export function createDataConverter(codecKey: string | undefined): DataConverter {
  const required = requiresEncryption();
  if (codecKey === undefined) {
    if (required) throw new TypeError('VARTRACK_REQUIRE_ENCRYPTION is true, and there is no codec key');
    return {};
  }
  const codec = createPayloadCodec(parseCodecKeys(codecKey), required ? 'refused' : 'taken');
  return { payloadCodecs: [codec], failureConverterPath: FAILURE_CONVERTER_PATH };
}

/** Read where it counts, as Temporal's own variables are: a caller that forgot to pass it on would believe everything. */
function requiresEncryption(): boolean {
  return process.env['VARTRACK_REQUIRE_ENCRYPTION'] === 'true';
}

/** Also given to the bundler of the workflows, which otherwise would write failures in plain text. */
export const FAILURE_CONVERTER_PATH = fileURLToPath(new URL('../workflows/failure-converter.ts', import.meta.url));

/** Connects as the `TEMPORAL_*` variables say (address, namespace, TLS, API key, profile); throws if the server does not answer. */
export async function connectTemporal(codecKey: string | undefined): Promise<Temporal> {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const connection = await Connection.connect(connectionOptions);
  const client = new Client({ connection, namespace, dataConverter: createDataConverter(codecKey) });
  return { client, connection, namespace, close: () => connection.close() };
}

/** Registers what is missing, so that no operator has to; safe to call from every process at boot. */
export async function registerSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const { INDEXED_VALUE_TYPE_KEYWORD, INDEXED_VALUE_TYPE_KEYWORD_LIST } = proto.temporal.api.enums.v1.IndexedValueType;
  const missing = Object.values(searchAttributes).filter((key) => !(key.name in (customAttributes ?? {})));
  if (missing.length === 0) return;
  const types = missing.map((key) => [key.name, key.type === 'KEYWORD_LIST' ? INDEXED_VALUE_TYPE_KEYWORD_LIST : INDEXED_VALUE_TYPE_KEYWORD] as const);
  try {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(types) });
  } catch (error) {
    // Another process of ours may have been a moment faster.
    if (!/already exists/i.test(String(error))) throw error;
  }
}
