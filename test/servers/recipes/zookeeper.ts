import { fromApt } from './apt.ts';

export const zookeeper = fromApt('zkServer.sh', 'zookeeper', '/usr/share/zookeeper/bin');
