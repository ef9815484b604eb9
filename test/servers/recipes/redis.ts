import { fromApt } from './apt.ts';

export const redis = fromApt('redis-server', 'redis-server');
