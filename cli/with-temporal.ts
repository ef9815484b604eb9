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
    throw temporal === undefined ? unreachable(error) : explainTemporalError(error);
  } finally {
    await temporal?.close();
  }
}

/** The error of a call to Temporal as a person understands it; any other as it is. */
export function explainTemporalError(error: unknown): unknown {
  if (lacksKey(error)) {
    return new CliError(
      'rejected',
      'what Temporal holds is encrypted with a key that this command does not have; set VARTRACK_CODEC_KEY as api and worker have it',
      {
        cause: error,
      },
    );
  }
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

/** Whether a payload could not be read for want of the right VARTRACK_CODEC_KEY; the SDK and our codec only say it in words. */
export function lacksKey(error: unknown): boolean {
  return chainOf(error).some(({ message }) => /Unknown encoding: binary\/encrypted|a payload was encrypted with key/.test(message));
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
  return chainOf(error)
    .map((each) => ('code' in each ? each.code : undefined))
    .find((code) => typeof code === 'number');
}

function chainOf(error: unknown): Error[] {
  return error instanceof Error ? [error, ...chainOf(error.cause)] : [];
}
