/**
 * connPoolStats, connPoolSync, dropConnections: connections from this server to others, of which a server alone has none.
 * Source: MongoDB's manual, "connPoolStats", "dropConnections".
 */
import { BsonType } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import { defineCommand } from '../../command/define-command.ts';

export const connPoolStats = defineCommand({
  name: 'connPoolStats',
  help: 'Counts the connections from this server to others.',
  kind: 'admin',
  access: { action: 'connPoolStats', on: 'cluster' },
  route: 'router',
  lenient: true,
  parse: () => undefined,
  execute: () => undefined,
  reply: () => ({
    numClientConnections: 0,
    numAScopedConnections: 0,
    totalInUse: 0n,
    totalAvailable: 0n,
    totalLeased: 0n,
    totalCreated: 0n,
    totalRefreshing: 0n,
    totalRefreshed: 0n,
    replicaSetMatchingStrategy: 'matchPrimaryNode',
    pools: {},
    hosts: {},
    replicaSets: {},
  }),
});

export const connPoolSync = defineCommand({
  name: 'connPoolSync',
  aliases: ['connpoolsync'],
  help: 'Forgets the idle connections from this server to others.',
  kind: 'admin',
  access: { action: 'connPoolSync', on: 'cluster' },
  route: 'router',
  lenient: true,
  parse: () => undefined,
  execute: () => undefined,
  reply: () => ({}),
});

export const dropConnections = defineCommand({
  name: 'dropConnections',
  help: 'Ends the connections from this server to the servers named.',
  kind: 'admin',
  access: { action: 'dropConnections', on: 'cluster' },
  route: 'router',
  adminOnly: true,
  parse: (body) => {
    for (const [index, host] of body.array('hostAndPort').entries()) {
      if (host.type !== BsonType.string) {
        throw body.wrongType(`hostAndPort.${index}`, host, "expected type 'string'");
      }
      checkHost(host.asString());
    }
  },
  execute: () => undefined,
  reply: () => ({}),
});

/** "host", "host:port" or "[address]:port". */
function checkHost(text: string): void {
  const [, host, port] = /^(\[[^\]]+\]|[^:]*)(?::(\d+))?$/.exec(text) ?? [];
  if (host === undefined || host === '') {
    throw new CommandError(
      'FailedToParse',
      `Empty host component parsing HostAndPort from "${text}"`,
    );
  }
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) {
    throw new CommandError(
      'FailedToParse',
      `Port number ${port} out of range parsing HostAndPort from "${text}"`,
    );
  }
}
