import { parseDocument, type ParseOptions } from '../../../clients/formats/parse-document.ts';
import { InvalidInput } from '../../../domain/problem.ts';
import { valueOf, type Value } from '../../../domain/value.ts';

export function parsed(text: string | Uint8Array, file: string, options?: ParseOptions): Value {
  return valueOf(parseDocument(typeof text === 'string' ? new TextEncoder().encode(text) : text, file, options));
}

/** The message of the refusal; fails the test if the file was taken. */
export function refusalOf(text: string | Uint8Array, file: string, options?: ParseOptions): string {
  try {
    parsed(text, file, options);
  } catch (error) {
    if (error instanceof InvalidInput) return error.message;
    throw error;
  }
  throw new Error('it was taken');
}
