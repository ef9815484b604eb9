import { Connection, type ConnectionOptions } from '@temporalio/client';
import { InternalConnectionOptionsSymbol, type InternalConnectionOptions } from '@temporalio/client/lib/connection.js';
import { msToTs, tsToMs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';

import { searchAttributes } from '../../workflows/search-attributes.ts';
import { programOf } from './program-of.ts';
import { startProcess } from './start-process.ts';

export interface TimeSkippingServer {
  readonly connection: Connection;
  /** `127.0.0.1:port`. */
  readonly address: string;
  readonly namespace: string;
  /** The server's clock, in milliseconds. */
  now(): Promise<number>;
  /** Lets so much time of the server pass. It jumps to whatever is due next, but not while a task is under way. Resolves when the time is over, and then time is as it is elsewhere. */
  skip(ms: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts Temporal's test server, whose time the test moves. It knows no visibility queries, and forgets everything as it stops. */
export async function startTimeSkippingTemporal(): Promise<TimeSkippingServer> {
  const namespace = 'default';
  const server = await startProcess({
    program: await programOf('temporal-time-skipping'),
    args: (port) => [String(port)],
    ready: async (port) => {
      await (await connect(port)).close();
      return true;
    },
  });
  const connection = await connect(server.port);
  const { testService } = connection;
  if (!testService) throw new Error('the connection has no test service');
  // It cannot list those it has, so registerSearchAttributes cannot look.
  const { INDEXED_VALUE_TYPE_KEYWORD, INDEXED_VALUE_TYPE_KEYWORD_LIST } = proto.temporal.api.enums.v1.IndexedValueType;
  const types = Object.values(searchAttributes).map(({ name, type }) => [
    name,
    type === 'KEYWORD_LIST' ? INDEXED_VALUE_TYPE_KEYWORD_LIST : INDEXED_VALUE_TYPE_KEYWORD,
  ]);
  await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(types) });
  return {
    connection,
    address: `127.0.0.1:${server.port}`,
    namespace,
    async now() {
      const { time } = await testService.getCurrentTime({});
      return tsToMs(time);
    },
    async skip(ms) {
      await testService.unlockTimeSkippingWithSleep({ duration: msToTs(ms) });
    },
    async stop() {
      await connection.close();
      await server.kill();
    },
  };
}

/** As @temporalio/testing does it for a server that it has started. */
function connect(port: number): Promise<Connection> {
  const options: ConnectionOptions & InternalConnectionOptions = {
    address: `127.0.0.1:${port}`,
    connectTimeout: 2_000,
    [InternalConnectionOptionsSymbol]: { supportsTestService: true },
  };
  return Connection.connect(options);
}
