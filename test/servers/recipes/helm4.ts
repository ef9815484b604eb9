import { fromGo } from './go.ts';

export const helm4 = fromGo({ title: 'Helm 4', name: 'helm4', package: 'helm.sh/helm/v4/cmd/helm', minutes: 2 });
