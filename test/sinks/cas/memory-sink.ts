import { z } from 'zod';
import { leafText } from '../../../domain/flatten.ts';
import { formatPath } from '../../../domain/value.ts';
import type { CasCodec } from '../../../sinks/cas/codec.ts';
import { documentProblem, readDocument, renderLeaf, writeDocument } from '../../../sinks/leaf-document.ts';
import { defineSink } from '../../../sinks/sink.ts';

const destination = z.strictObject({ layout: z.enum(['keys', 'document']).default('keys') });
export type MemoryFields = z.output<typeof destination>;

const MAX_BYTES = 16 * 1024 * 1024;

/** A kind of sink over {@link createMemoryStore}, as small as one can be. */
export const memory = defineSink({
  kind: 'memory',
  layouts: {
    keys: { values: 'readable', ownership: 'keys', atomicity: 'key' },
    document: { values: 'readable', ownership: 'place', atomicity: 'place' },
  },
  notifies: false,
  options: z.strictObject({}),
  destination,
  system: () => 'memory',
  placeProblem: () => null,
  identity: (name) => name,
  render: (entry, { layout }) => {
    return layout === 'document' ? renderLeaf(entry, 'json') : { ...entry, key: formatPath(entry.path), text: leafText(entry.value) };
  },
  limitProblem: (entries, { layout }) => (layout === 'document' ? documentProblem(entries, 'document', 'json', MAX_BYTES) : null),
  connect: () => Promise.reject(new Error('a test makes the sink over a store of its own')),
});

export const memoryCodec: CasCodec<MemoryFields> = {
  kind: 'memory',
  item: 'document',
  own: { maxBytes: MAX_BYTES, compressAbove: 1_000, attributes: {} },
  layout: ({ name, layout }) => {
    const own = { ledger: `${name}.ledger`, undo: `${name}.undo`, maxBytes: MAX_BYTES };
    if (layout === 'keys') {
      return {
        ...own,
        shape: 'keys',
        nameOf: (key) => `${name}/${key}`,
        encode: ({ text }, live) => ({ body: Buffer.from(text), attributes: live?.attributes ?? { kind: 'ours' } }),
        decode: ({ body }) => body.toString('utf8'),
      };
    }
    return {
      ...own,
      shape: 'document',
      name,
      encode: (entries, kept, live) => ({ body: writeDocument(entries, kept, 'json'), attributes: live?.attributes ?? {} }),
      decode: ({ body }) => readDocument(body, 'document', 'json', MAX_BYTES),
    };
  },
};
