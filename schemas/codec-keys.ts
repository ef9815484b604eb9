const KEY_BYTES = 32;

/** Keys of payloads as `VARTRACK_CODEC_KEY` lists them: base64, with commas or white space (line breaks in a file) in between. */
export function splitCodecKeys(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((key) => key !== '');
}

/** What is wrong with a list of keys, by position and without a character of a key. */
export function codecKeyProblem(text: string): string | undefined {
  const keys = splitCodecKeys(text);
  if (keys.length === 0) return `holds no key; ${ADVICE}`;
  const wrong = keys.findIndex((key) => !isBase64(key) || decodedLength(key) !== KEY_BYTES);
  const which = keys.length === 1 ? '' : `key ${wrong + 1} of ${keys.length} `;
  if (wrong !== -1) return `${which}must be ${KEY_BYTES} bytes in base64; ${ADVICE}`;
  if (new Set(keys).size !== keys.length) return 'lists a key twice';
  return undefined;
}

const ADVICE = 'make one with: vartrack codec key';

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text);
}

function decodedLength(base64: string): number {
  return (base64.length / 4) * 3 - (base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0);
}
