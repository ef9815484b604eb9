import { describe } from 'vitest';
import { vercel } from '../../sinks/vercel.ts';
import { describeSinkContract, type ContractLeg } from './contract.ts';
import { LARGE, REFUSED, startVercelBench } from './vercel/bench.ts';

const elsewhere = { outage: 'staged for all environments', silent: 'staged for all environments' } as const;
const legs: Readonly<Record<string, Omit<ContractLeg, 'definition' | 'start'>>> = {
  'all environments': { destination: {}, values: 'together', cuts: true, faults: 'few', cannot: { 'late request': 'the API has no conditional edit' } },
  'one branch, plain': { destination: { targets: ['preview'], gitBranch: 'feature/x', type: 'plain' }, values: 'together', cannot: elsewhere },
};

describe('the vercel sink', () => {
  for (const [name, leg] of Object.entries(legs))
    describeSinkContract(`env, ${name}`, { ...leg, refuses: REFUSED, large: LARGE, definition: vercel, start: () => startVercelBench(leg.destination) });
});
