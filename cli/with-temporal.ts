import { loadClientConnectConfig } from '@temporalio/envconfig';
import { connectTemporal, type Temporal } from '../clients/temporal.ts';
import { CliError } from './cli-error.ts';

const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;
const PERMISSION_DENIED = 7;

/** Runs `act` with a connection; a server that does not answer, then or later, is told with its address. */
export async function withTemporal<T>(codecKey: string | undefined, act: (temporal: Temporal) => Promise<T>): Promise<T> {
  let temporal: Temporal | undefined;
  try {
    temporal = await connectTemporal(codecKey);
    return await act(temporal);
  } catch (error) {
    throw temporal === undefined ? unreachable(error) : explained(error);
  } finally {
    await temporal?.close();
  }
}

function explained(error: unknown): unknown {
  const code = codeOf(error);
  if (code === UNAVAILABLE) return unreachable(error);
  if (code === UNAUTHENTICATED || code === PERMISSION_DENIED) {
    return new CliError('unreachable', `Temporal at ${addressOf()} refuses this client; set TEMPORAL_API_KEY or TEMPORAL_TLS_* as api and worker have them`, {
      cause: error,
    });
  }
  return error;
}

export function unreachable(error: unknown): CliError {
  const why = error instanceof Error ? error.message : String(error);
  return new CliError(
    'unreachable',
    `Temporal is not reachable at ${addressOf()} (${why}); start it ("vartrack dev" has one), or set TEMPORAL_ADDRESS to host:port`,
    {
      cause: error,
    },
  );
}

function addressOf(): string {
  try {
    return loadClientConnectConfig().connectionOptions.address ?? 'localhost:7233';
  } catch {
    return 'the address of TEMPORAL_PROFILE';
  }
}

/** The gRPC status of an error or of what caused it. */
function codeOf(error: unknown): unknown {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'number') return at.code;
  }
  return undefined;
}
