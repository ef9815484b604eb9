import { describe } from 'vitest';
import { vercel } from '../../sinks/vercel.ts';
import { describeSinkContract } from './contract.ts';
import { LARGE, REFUSED, startVercelBench } from './vercel/bench.ts';

describe('the vercel sink', () => {
  const destination = { targets: ['production', 'preview'], type: 'sensitive' };
  const cannot = { outage: 'staged for readable variables', silent: 'staged for readable variables' };
  describeSinkContract('sensitive', {
    definition: vercel,
    destination,
    refuses: REFUSED,
    large: LARGE,
    values: 'together',
    cannot,
    cuts: true,
    start: () => startVercelBench(destination),
  });
});
