import fc from 'fast-check';

export type Branch = 'main' | 'develop';

/** One thing that happens. Indexes are taken modulo what is there. */
export type Command =
  | {
      readonly do: 'push';
      readonly branch: Branch;
      readonly word: string;
      readonly keys: readonly string[];
      readonly told: 'now' | 'twice' | 'later' | 'never';
    }
  | { readonly do: 'tell'; readonly index: number }
  | { readonly do: 'tell-old'; readonly branch: Branch; readonly index: number }
  | { readonly do: 'force'; readonly branch: Branch; readonly index: number }
  | { readonly do: 'tag'; readonly name: string; readonly index: number; readonly told: 'now' | 'later' }
  | { readonly do: 'sync'; readonly stream: Branch | 'tags' }
  /** Of what an environment's ledger says, with or without a drift, or at any commit, as one that comes late would be. */
  | { readonly do: 'heal'; readonly environment: 'production' | 'staging'; readonly at: 'ledger' | 'drift' | 'any'; readonly index: number }
  | { readonly do: 'pause' | 'resume' | 'refuse' | 'allow' | 'restart' | 'settle' }
  | { readonly do: 'slow'; readonly milliseconds: number }
  | { readonly do: 'stranger'; readonly change: 'foreign' | 'owned' | 'create' | 'remove-file'; readonly environment: 'production' | 'staging' }
  | {
      readonly do: 'hold';
      readonly when: 'before' | 'after';
      readonly op: 'read' | 'apply' | 'restore';
      readonly kind: 'redis' | 'linux';
      readonly for: number;
      readonly end: 'go' | 'unavailable';
    };

const branch = fc.constantFrom<Branch>('main', 'main', 'develop');
const index = fc.nat({ max: 20 });
const environment = fc.constantFrom('production', 'production', 'staging');

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('push'),
      branch,
      word: fc.constantFrom('red', 'green', 'blue'),
      keys: fc.subarray(['a', 'b', 'late'], { minLength: 1 }),
      told: fc.constantFrom('now', 'now', 'twice', 'later', 'never'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('tell'), index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tell-old'), branch, index }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('force'), branch, index }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('tag'), name: fc.constantFrom('v1', 'v2', 'v10'), index, told: fc.constantFrom('now', 'later') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('sync'), stream: fc.constantFrom('main', 'develop', 'tags') }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('heal'), environment, at: fc.constantFrom('ledger', 'drift', 'drift', 'any'), index }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('pause', 'resume', 'refuse', 'refuse', 'allow', 'allow', 'settle', 'settle') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('restart', 'settle', 'settle', 'settle') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('slow'), milliseconds: fc.integer({ min: 100, max: 1500 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('stranger'), change: fc.constantFrom('foreign', 'owned', 'create', 'remove-file'), environment }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('hold'),
      when: fc.constantFrom('before', 'after'),
      op: fc.constantFrom('read', 'apply', 'apply', 'restore'),
      kind: fc.constantFrom('redis', 'linux'),
      for: fc.integer({ min: 1, max: 5 }),
      end: fc.constantFrom('go', 'unavailable'),
    }),
  },
) as fc.Arbitrary<Command>;

export const commands = fc.array(command, { minLength: 6, maxLength: 25, size: 'max' });
