import { fromGo } from './go.ts';

export const helm3 = fromGo({ title: 'Helm 3', name: 'helm3', package: 'helm.sh/helm/v3/cmd/helm', minutes: 3 });
