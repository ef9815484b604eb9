import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from './free-port.ts';
import { programOf } from './program-of.ts';
import { startProcess, type ServerProcess } from './start-process.ts';

export interface ConsulServer {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** An ACL token with all rights. */
  readonly managementToken: string;
  /** A new ACL token with these rules, in HCL; none: it is known and may do nothing. */
  token(rules?: string): Promise<string>;
  stop(): Promise<void>;
  /** SIGKILL, and then the same server with its data at the same address. */
  readonly outage: { begin(): Promise<void>; end(): Promise<void> };
}

const MANAGEMENT = '6e0a8f4c-93b1-4a67-8a53-0f4b0c1d2e3f';
const PORTS = ['-server-port', '-serf-lan-port'] as const;
const START = ['agent', '-server', '-bootstrap', '-bind=127.0.0.1', '-client=127.0.0.1', '-node=consul', '-log-level=warn'];
const NO_PORTS = ['-dns-port=-1', '-grpc-port=-1', '-grpc-tls-port=-1', '-serf-wan-port=-1'];
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Starts a Consul server of one node with ACLs that deny by default, on free ports of 127.0.0.1, with its data in a directory of its own. */
export async function startConsul(): Promise<ConsulServer> {
  const folder = await mkdtemp(join(scratch, 'vartrack-consul-'));
  const config = join(folder, 'config.json');
  const acl = { enabled: true, default_policy: 'deny', tokens: { initial_management: MANAGEMENT, agent: MANAGEMENT } };
  // One node need not wait for others to vote.
  const performance = { raft_multiplier: 1 };
  await writeFile(config, JSON.stringify({ acl, performance, connect: { enabled: false } }));
  const program = await programOf('consul');
  const others = await Promise.all(PORTS.map(async (name) => `${name}=${await freePort()}`));
  const args = [...START, ...NO_PORTS, ...others, `-config-file=${config}`, `-data-dir=${join(folder, 'data')}`];

  const start = (port?: number): Promise<ServerProcess> => startProcess({ program, port, args: (http) => [...args, `-http-port=${http}`], ready: writes });
  let server = await start();
  const url = `http://127.0.0.1:${server.port}`;
  return {
    url,
    managementToken: MANAGEMENT,
    token: async (rules) => {
      const name = `t${++tokens}`;
      if (rules !== undefined) await call(url, '/v1/acl/policy', { Name: name, Rules: rules });
      const made = await call(url, '/v1/acl/token', { Policies: rules === undefined ? [] : [{ Name: name }] });
      return (made as { readonly SecretID: string }).SecretID;
    },
    stop: async () => {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
    outage: {
      begin: () => server.kill(),
      end: async () => {
        server = await start(server.port);
      },
    },
  };
}

let tokens = 0;

/** There is a leader, and it knows the token. */
async function writes(port: number): Promise<boolean> {
  await call(`http://127.0.0.1:${port}`, '/v1/kv/readiness', {});
  return true;
}

async function call(url: string, path: string, body: object): Promise<unknown> {
  const headers = { 'x-consul-token': MANAGEMENT };
  const answer = await fetch(url + path, { method: 'PUT', headers, body: JSON.stringify(body), signal: AbortSignal.timeout(5_000) });
  if (!answer.ok) throw new Error(`consul ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
