import { consul } from './recipes/consul.ts';
import { etcd } from './recipes/etcd.ts';
import { ferretdb } from './recipes/ferretdb.ts';
import { gitea } from './recipes/gitea.ts';
import { helm3 } from './recipes/helm3.ts';
import { helm4 } from './recipes/helm4.ts';
import { inotifywait } from './recipes/inotifywait.ts';
import { kubeApiserver } from './recipes/kube-apiserver.ts';
import { redis } from './recipes/redis.ts';
import { seaweedfs } from './recipes/seaweedfs.ts';
import { sshd } from './recipes/sshd.ts';
import { temporalTimeSkipping } from './recipes/temporal-time-skipping.ts';
import { temporal } from './recipes/temporal.ts';
import { vault } from './recipes/vault.ts';
import { zookeeper } from './recipes/zookeeper.ts';
import type { Recipe } from './recipe.ts';

/** Every real server the tests know. Adding one is a file in recipes/ and a line here. */
const recipes = {
  temporal,
  redis,
  sshd,
  inotifywait,
  seaweedfs,
  zookeeper,
  etcd,
  ferretdb,
  helm4,
  helm3,
  'kube-apiserver': kubeApiserver,
  gitea,
  consul,
  vault,
  'temporal-time-skipping': temporalTimeSkipping,
} satisfies Record<string, Recipe>;

export type ServerName = keyof typeof recipes;

/** Where a server's program is, or why this machine has none. */
export type Located = { readonly path: string } | { readonly missing: string };

export const serverNames = Object.keys(recipes) as readonly ServerName[];

/** The program, if the machine has it already. Installs nothing. */
export async function locateServer(name: ServerName): Promise<Located> {
  const path = await recipes[name].locate();
  return path === undefined ? { missing: `${recipes[name].title} is not installed; "npm test" gets it` } : { path };
}

/** The program, installed or built if the machine lacks it. Never throws: what cannot be had is `missing`, with the reason. */
export async function getServer(name: ServerName, progress: (line: string) => void): Promise<Located> {
  try {
    return { path: (await recipes[name].locate()) ?? (await recipes[name].install(progress)) };
  } catch (error) {
    return { missing: `${recipes[name].title}: ${error instanceof Error ? error.message : String(error)}` };
  }
}
