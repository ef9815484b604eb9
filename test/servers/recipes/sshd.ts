import { fromApt } from './apt.ts';

export const sshd = fromApt('sshd', 'openssh-server');
