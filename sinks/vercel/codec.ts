import type { CasCodec } from '../cas/codec.ts';
import { contentOf, textOf } from './item.ts';
import type { VercelFields } from './options.ts';
import { ownNames } from './own-variable.ts';
import { scopeOf } from './scope.ts';
import { MAX_DEPLOYMENT_BYTES } from './size.ts';

export const codec: CasCodec<VercelFields> = {
  kind: 'vercel',
  item: 'variable',
  // Before compression; what is there in the end is counted with all of the deployment.
  own: { maxBytes: 1024 * 1024, attributes: {} },
  layout: ({ fields }) => ({
    shape: 'keys',
    ...ownNames(scopeOf(fields)),
    maxBytes: MAX_DEPLOYMENT_BYTES * 4,
    nameOf: (key) => key,
    encode: (entry) => contentOf(entry, fields),
    decode: (item) => textOf(item, fields),
  }),
};
