import { describe } from 'vitest';
import { vercel } from '../../sinks/vercel.ts';
import { describeSinkContract, type ContractLeg } from './contract.ts';
import { startVercelBench } from './vercel/bench.ts';

/** Names that are none for an environment variable. */
const refuses = ['a key with a space', 'a key with quotes', 'a key with a backslash', 'a key with signs', 'a key in another script', 'a key that is a number'];
/** 64 KB are all there is, with the ledger and what an undo needs. */
const large = { keys: 200, characters: 12_000 };
const elsewhere = { outage: 'staged for all environments', silent: 'staged for all environments' } as const;

const legs: Readonly<Record<string, Omit<ContractLeg, 'definition' | 'start'>>> = {
  'env, all environments': { destination: {}, cuts: true },
  'env, one branch, plain': { destination: { targets: ['preview'], gitBranch: 'feature/x', type: 'plain' }, cannot: elsewhere },
  'env, a custom environment': { destination: { customEnvironments: ['env_staging1'] }, cannot: elsewhere },
};

describe('the vercel sink', () => {
  for (const [name, leg] of Object.entries(legs))
    describeSinkContract(name, { ...leg, refuses, large, definition: vercel, start: () => startVercelBench(leg.destination) });
});
