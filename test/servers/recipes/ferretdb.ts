import { fromGo } from './go.ts';

/** The MongoDB protocol over SQLite, started by a program of our own: the published command refuses to run when it is built as a dependency. */
export const ferretdb = fromGo({ title: 'FerretDB', name: 'ferretdb', package: '.', minutes: 1 });
