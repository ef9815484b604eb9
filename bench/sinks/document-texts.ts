import { readDocument } from '../../sinks/leaf-document.ts';
import type { RenderFormat } from '../../clients/formats/render-document.ts';
import type { RenderedEntry } from '../../domain/plan.ts';

/** The texts of a document as a program with a parser gets them: read with JavaScript's own, without positions or exact numbers. */
export function textsOfJson(document: string, entries: readonly RenderedEntry[]): readonly (string | undefined)[] {
  const root: unknown = JSON.parse(document);
  return entries.map(({ path }) => {
    const leaf = path.reduce<unknown>((at, step) => (at as Readonly<Record<string, unknown>>)[step], root);
    return JSON.stringify(leaf);
  });
}

/** Of another format, by the parser that the sinks have. */
export function textsOfDocument(bytes: Uint8Array, format: RenderFormat, entries: readonly RenderedEntry[]): readonly (string | undefined)[] {
  const document = readDocument(bytes, 'document', format, 64 * 1024 * 1024);
  return entries.map(({ key }) => ('leaves' in document ? document.leaves.get(key)?.text : undefined));
}
