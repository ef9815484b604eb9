import { describeWith } from '../servers/describe-with.ts';
import { describeSinkContract } from './contract.ts';
import { s3Leg, shareSeaweed, stagedElsewhere } from './s3-bench.ts';

const refusedByEnv = [
  'a value with line breaks',
  'a value with quotes',
  'a key with a space',
  'a key with quotes',
  'a key with a backslash',
  'a key with signs',
  'a key in another script',
  'a key that is a number',
];

const legs = {
  yaml: {},
  env: { refuses: refusedByEnv },
  properties: {},
  // The parser of TOML that gives positions matches a string by one regular expression, which takes about 100,000 characters.
  toml: { large: { characters: 50_000 } },
};

// All but json, which s3.test.ts has.
describeWith('seaweedfs', 'the s3 sink, other formats', () => {
  const server = shareSeaweed();
  for (const [format, leg] of Object.entries(legs)) {
    // The store that is cut does not know the format: s3.test.ts cuts it under json.
    const common = { destination: { format }, values: 'together', differs: 'format', cuts: false, cannot: stagedElsewhere } as const;
    describeSinkContract(format, s3Leg(server, { ...common, ...leg }));
  }
});
