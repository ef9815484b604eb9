import { SinkError } from '../errors.ts';
import { isTlsCode } from '../tls-code.ts';

/** No answer at all. */
export function connectionError(label: string, error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (isTlsCode(code)) return new SinkError('rejected', `${label}: the TLS connection failed (${code}); check the server’s address and ca`);
  return new SinkError('unavailable', `${label}: not reachable${code === '' ? '' : ` (${code})`}`);
}
