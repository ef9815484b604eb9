import fc from 'fast-check';
import type { Branch } from './commands.ts';

export type Environment = 'production' | 'staging';
export type Place = 'hash' | 'file' | 'flags';

/** One blow of a fight between strangers, pushes, people and heals. */
export type Blow =
  | { readonly do: 'edit'; readonly environment: Environment; readonly place: Place; readonly change: 'change' | 'remove' }
  | { readonly do: 'foreign'; readonly environment: Environment }
  | { readonly do: 'push'; readonly branch: Branch; readonly word: string; readonly keys: readonly string[]; readonly isTold: boolean }
  | { readonly do: 'heal'; readonly only?: Place }
  /** The run of a stream, if one is at work. */
  | { readonly do: 'terminate'; readonly branch: Branch }
  | { readonly do: 'pause' | 'resume' | 'check' | 'refuse' | 'allow' | 'restart' | 'rest' };

const environment = fc.constantFrom<Environment>('production', 'production', 'staging');
const place = fc.constantFrom<Place>('hash', 'hash', 'file', 'flags');

const blow: fc.Arbitrary<Blow> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('edit' as const), environment, place, change: fc.constantFrom('change' as const, 'remove' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('foreign' as const), environment }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      branch: fc.constantFrom<Branch>('main', 'main', 'develop'),
      word: fc.constantFrom('red', 'green', 'blue'),
      keys: fc.constantFrom(['a'], ['a', 'b']),
      isTold: fc.constantFrom(true, true, false),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('terminate' as const), branch: fc.constantFrom<Branch>('main', 'develop') }) },
  { weight: 2, arbitrary: fc.oneof(fc.record({ do: fc.constant('heal' as const) }), fc.record({ do: fc.constant('heal' as const), only: place })) },
  { weight: 3, arbitrary: fc.constant({ do: 'pause' as const }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('resume' as const, 'check' as const, 'refuse' as const, 'allow' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('restart' as const, 'rest' as const, 'rest' as const) }) },
);

export const blows = fc.array(blow, { minLength: 10, maxLength: 18, size: 'max' });
