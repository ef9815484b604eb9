import { fromGo } from './go.ts';

/** The tag leaves out most plugins, the kubernetes auth method among them. */
export const vault = fromGo({ title: 'Vault', name: 'vault', package: 'github.com/hashicorp/vault', minutes: 6, tags: ['minimal'] });
