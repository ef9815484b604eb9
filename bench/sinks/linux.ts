import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Client, type ClientChannel } from 'ssh2';
import { linux, type LinuxFields } from '../../sinks/linux.ts';
import { writeDocument } from '../../sinks/leaf-document.ts';
import { startSshd } from '../../test/servers/sshd.ts';
import { textsOfDocument } from './document-texts.ts';
import { SIZES, type Kind } from './lane.ts';

const formats = ['env', 'json', 'yaml', 'toml', 'ini', 'properties'];

/** Over SSH, one command for each of the two. */
export const sshKind: Kind = {
  definition: linux,
  lanes: formats.slice(0, 2).map((format) => ({ destination: { format }, sizes: SIZES })),
  start: async () => {
    const [root, server] = await Promise.all([mkdtemp(join(tmpdir(), 'vartrack-bench-')), startSshd()]);
    const { user, privateKey, hostKeyFingerprint: hostKey } = server;
    return {
      address: server,
      sink: ({ host, port }) =>
        linux.connect(linux.options.parse({ transport: 'ssh', host, port, user, privateKey: { env: 'KEY' }, hostKey }), async () => privateKey),
      bare: async ({ host, port }) => {
        const client = new Client();
        const ready = Promise.withResolvers<void>();
        client.once('ready', ready.resolve).once('error', ready.reject).connect({ host, port, username: user, privateKey });
        await ready.promise;
        client.setNoDelay(true);
        const run = async (command: string, input?: Buffer): Promise<Buffer> => {
          const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
          client.exec(command, (error, channel) => (error ? reject(error) : resolve(channel)));
          const channel = await promise;
          channel.end(input);
          return buffer(channel);
        };
        return {
          write: async ({ name, fields }, entries) => {
            await run(`umask 077; cat > ${name}.new && sync ${name}.new && mv ${name}.new ${name}`, writeDocument(entries, [], (fields as LinuxFields).layout));
          },
          read: async ({ name, layout }, entries) => textsOfDocument(await run(`cat ${name}`), layout as LinuxFields['layout'], entries),
          close: async () => void client.end(),
        };
      },
      placeName: () => join(root, randomUUID()),
      stop: async () => {
        await server.stop();
        await rm(root, { recursive: true, force: true });
      },
    };
  },
};

/** Files of this machine, which the driver writes from its own process and the sink through a shell. */
export const localKind: Kind = {
  definition: linux,
  lanes: [{ destination: { format: 'env' }, sizes: SIZES }],
  start: async () => {
    const root = await mkdtemp(join(tmpdir(), 'vartrack-bench-'));
    return {
      address: null,
      sink: () => linux.connect(linux.options.parse({ transport: 'local', root }), async () => ''),
      bare: async () => ({
        write: async ({ name, layout }, entries) => {
          await writeFile(`${name}.new`, writeDocument(entries, [], layout as LinuxFields['layout']), { mode: 0o600, flush: true });
          await rename(`${name}.new`, name);
        },
        read: async ({ name, layout }, entries) => textsOfDocument(await readFile(name), layout as LinuxFields['layout'], entries),
        close: async () => undefined,
      }),
      placeName: () => join(root, randomUUID()),
      stop: () => rm(root, { recursive: true, force: true }),
    };
  },
};
