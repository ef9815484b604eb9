import { fromApt } from './apt.ts';

export const etcd = fromApt('etcd', 'etcd-server');
