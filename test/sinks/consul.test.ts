import { afterAll, beforeAll } from 'vitest';
import { consul } from '../../sinks/consul.ts';
import { startConsul, type ConsulServer } from '../servers/consul.ts';
import { describeWith } from '../servers/describe-with.ts';
import { startBench } from './consul/bench.ts';
import { describeSinkContract, type ContractLeg } from './contract.ts';

// The formats are those of s3 and linux, so that one of them is enough here.
const legs: Readonly<Record<string, Omit<ContractLeg, 'definition' | 'start'>>> = {
  keys: { destination: {}, cuts: true, faults: true, large: { keys: 2_000, characters: 200_000 } },
  'keys, in folders': {
    destination: { separator: '/' },
    values: 'together',
    large: { keys: 200, characters: 200_000 },
    cannot: { outage: 'staged for keys', silent: 'staged for keys' },
  },
  document: { destination: { layout: 'document' }, values: 'together', cuts: true, large: { keys: 5_000, characters: 300_000 } },
};

describeWith('consul', 'the consul sink', () => {
  let server: ConsulServer;
  beforeAll(async () => {
    server = await startConsul();
  });
  afterAll(() => server.stop());

  for (const [name, leg] of Object.entries(legs))
    describeSinkContract(name, { ...leg, definition: consul, start: () => startBench(server, consul.destination.parse(leg.destination)) });
});
