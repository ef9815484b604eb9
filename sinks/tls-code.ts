/** Whether an error code of Node is about certificates or the handshake: trying again mends nothing. */
export function isTlsCode(code: string): boolean {
  return /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code);
}
