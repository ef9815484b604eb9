// Drift, end to end, with api, worker, Temporal and sinks as processes of their own:
//   npx node bench/drift.ts heal [--edits 30] [--interval 2] [kind…]    from an edit by hand until it is put right
//   npx node bench/drift.ts idle [--tenants 50,200] [--targets 10] [--interval 60] [--seconds 120] [--own-repositories] [--files] [--untold]
//                                                                       what tenants cost in which nothing happens
import { parseArgs } from 'node:util';
import { measureHeals } from './drift/heal.ts';
import { measureIdle } from './drift/idle.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    edits: { type: 'string', default: '30' },
    interval: { type: 'string' },
    tenants: { type: 'string', default: '50,200' },
    targets: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '120' },
    'own-repositories': { type: 'boolean', default: false },
    files: { type: 'boolean', default: false },
    untold: { type: 'boolean', default: false },
  },
});
const [what, ...kinds] = positionals;
if (what === 'heal') await measureHeals({ edits: Number(values.edits), intervalSeconds: Number(values.interval ?? 2), kinds });
else if (what === 'idle')
  await measureIdle({
    sizes: values.tenants.split(',').map(Number),
    targets: Number(values.targets),
    intervalSeconds: Number(values.interval ?? 60),
    seconds: Number(values.seconds),
    repositories: values['own-repositories'] ? 'own' : 'shared',
    sink: values.files ? 'files' : 'redis',
    told: !values.untold,
  });
else throw new Error('heal or idle');
