import { fromApt } from './apt.ts';

/** No server, but what the linux sink asks on the other machine to be told of changes. */
export const inotifywait = fromApt('inotifywait', 'inotify-tools');
