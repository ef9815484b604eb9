import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { expect } from 'vitest';
import type { Ledger } from '../../domain/ledger.ts';
import { syncWorkflowId } from '../../workflows/messages.ts';
import { BUCKET, type Lab } from './lab.ts';

/** What one tenant has in its three sinks. */
export interface TenantState {
  readonly contents: Readonly<Record<'cache' | 'files' | 'bucket', unknown>>;
  readonly ledgers: Readonly<Record<'cache' | 'files' | 'bucket', Ledger>>;
  readonly foreign: readonly (string | null)[];
  /** Everything that is there by name, ours and others'. */
  readonly names: readonly string[];
}

export async function stateOf({ redis, s3, directory }: Lab, tenant: string): Promise<TenantState> {
  const files = join(directory, 'files');
  const object = async (key: string): Promise<string> => {
    const found = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: `${tenant}/${key}` }));
    return (await found.Body?.transformToString()) ?? '';
  };
  const ledgerOf = (text: string | null): Ledger => JSON.parse(text ?? 'null') as Ledger;
  const [{ foreign = null, ...cache }, keys, names, objects] = await Promise.all([
    redis.hgetall(`${tenant}:settings`),
    redis.keys(`*${tenant}*`),
    readdir(files),
    s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: `${tenant}/` })),
  ]);
  return {
    contents: { cache, files: await readFile(join(files, `${tenant}.env`), 'utf8'), bucket: JSON.parse(await object('settings.json')) as unknown },
    ledgers: {
      cache: ledgerOf(await redis.get(`{${tenant}:settings}:vartrack`)),
      files: ledgerOf(await readFile(join(files, `.${tenant}.env.vartrack`), 'utf8')),
      bucket: ledgerOf(await object('settings.json.vartrack.json')),
    },
    foreign: [foreign, await readFile(join(files, `${tenant}.txt`), 'utf8'), await object('foreign.txt')],
    names: [...keys, ...names.filter((name) => name.includes(tenant)), ...(objects.Contents ?? []).map(({ Key }) => String(Key))].toSorted(),
  };
}

/** The parts that must not depend on what happened on the way: not the generation, nor the id of the write. */
export function comparable({ contents, ledgers }: TenantState): unknown {
  const bare = Object.entries(ledgers).map(([sink, { owner, stream, commit, state, keys }]) => {
    return [sink, { rule: owner.rule, environment: owner.environment, stream, commit, state, keys }];
  });
  return { contents, ledgers: Object.fromEntries(bare) as unknown };
}

/** A tenant whose work is over: its state is like the undisturbed one's, nothing of others' was touched, nothing is left lying about, nothing runs. */
export async function expectAtRest(lab: Lab, tenant: string, like: TenantState, leftovers: readonly RegExp[] = []): Promise<void> {
  const state = await stateOf(lab, tenant);
  expect(comparable(state)).toEqual(comparable(like));
  for (const { owner, state: written } of Object.values(state.ledgers)) {
    expect(owner.tenant).toBe(tenant);
    expect(written).toBe('committed');
  }
  expect(state.foreign).toEqual(['a stranger’s', 'a stranger’s', 'a stranger’s']);
  expect(state.names.filter((name) => !leftovers.some((pattern) => pattern.test(name)))).toEqual(namesOf(tenant, state.ledgers.cache));
  const { status } = await lab.client.workflow.getHandle(syncWorkflowId(tenant, 'config', 'main')).describe();
  expect(status.name).not.toBe('RUNNING');
}

function namesOf(tenant: string, { write }: Ledger): readonly string[] {
  // Redis uses its undo record up.
  const undo = write.startsWith('undo:') ? [] : [`{${tenant}:settings}:vartrack:undo`];
  const redis = [`${tenant}:settings`, `{${tenant}:settings}:vartrack`, ...undo];
  const files = ['', '.lock', '.undo'].map((end) => `.${tenant}.env.vartrack${end}`);
  const objects = ['foreign.txt', 'settings.json', 'settings.json.vartrack.json', 'settings.json.vartrack.undo.json'].map((name) => `${tenant}/${name}`);
  return [...redis, `${tenant}.env`, `${tenant}.txt`, ...files, ...objects].toSorted();
}
