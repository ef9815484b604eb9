import type { Provider } from '../../domain/bundle.ts';
import { bitbucket } from './bitbucket.ts';
import type { WebhookProvider } from './event.ts';
import { forgejo } from './forgejo.ts';
import { generic } from './generic.ts';
import { gitea } from './gitea.ts';
import { github } from './github.ts';
import { gitlab } from './gitlab.ts';

export const providers = { github, gitlab, gitea, forgejo, bitbucket, generic } satisfies Record<Provider, WebhookProvider>;
