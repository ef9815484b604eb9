import { fromGo } from './go.ts';

export const consul = fromGo({ title: 'Consul', name: 'consul', package: 'github.com/hashicorp/consul', minutes: 5 });
