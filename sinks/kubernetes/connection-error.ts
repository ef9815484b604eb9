import { SinkError } from '../errors.ts';

/** No answer at all. */
export function connectionError(label: string, error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code))
    return new SinkError('rejected', `${label}: the TLS connection failed (${code}); check the server’s address and ca`);
  return new SinkError('unavailable', `${label}: not reachable${code === '' ? '' : ` (${code})`}`);
}
