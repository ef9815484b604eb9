import { fromGo } from './go.ts';

export const kubeApiserver = fromGo({ title: 'kube-apiserver', name: 'kube-apiserver', package: 'k8s.io/kubernetes/cmd/kube-apiserver', minutes: 4 });
