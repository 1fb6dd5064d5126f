/**
 * The servers of a running cluster, found through one of its routers, and a connection to each.
 *
 * Owns: the clients. Promises: the config server comes first, then the shards by their names.
 */
import type { BaseClient, MongoClientOptions } from '../../client/index.ts';
import { withClient } from '../command-line/connect.ts';
import { FailedCommand } from '../command-line/subcommand.ts';
import { ServerBackup } from './server-backup.ts';

export const CONFIG_NAME = 'config';

/** A server as the cluster knows it. */
export interface ServerPlace {
  /** config, or the shard's name. */
  readonly name: string;
  /** host:port */
  readonly host: string;
  /** What its directory is called. */
  readonly directory: string;
}

export interface ConnectedServer extends ServerPlace {
  readonly backup: ServerBackup;
}

/** What a directory may be called everywhere, and no option begins with. */
const SAFE_NAME = /^[A-Za-z0-9][\w.-]{0,99}$/;
/** Directories of `flint up` besides the shards'. */
const TAKEN_NAME = /^(config|router\d+)$/i;

/** Whether a client talks to a router of a cluster. */
export async function isRouter(client: BaseClient): Promise<boolean> {
  return (await client.db('admin').command({ hello: 1 }))['msg'] === 'isdbgrid';
}

/** @param router a client of one @throws FailedCommand */
export async function findServers(router: BaseClient): Promise<ServerPlace[]> {
  const { map } = await router.db('admin').command({ getShardMap: 1 });
  const host: unknown = map?.[CONFIG_NAME];
  if (typeof host !== 'string') {
    throw new FailedCommand('the router does not say where its config server is.');
  }
  const { shards } = await router.db('admin').command({ listShards: 1 });
  if (!Array.isArray(shards)) throw new FailedCommand('the router does not list its shards.');
  const found = shards.map((shard: { _id: unknown; host: unknown }) => ({
    name: String(shard._id),
    host: String(shard.host),
  }));
  found.sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    { name: CONFIG_NAME, host, directory: CONFIG_NAME },
    ...found.map((shard, index) => ({ ...shard, directory: directoryOf(shard.name, index) })),
  ];
}

function directoryOf(name: string, index: number): string {
  // Two names may differ in case only, which some file systems do not tell apart. No safe name begins with an underscore.
  const isSafe = SAFE_NAME.test(name) && !TAKEN_NAME.test(name) && name === name.toLowerCase();
  return isSafe ? name : `_shard-${index + 1}`;
}

/** Opens a client to each of them, runs `work`, and closes them. @param uri of the router: its user and options hold for all */
export async function withServers<Result>(
  uri: string,
  places: readonly ServerPlace[],
  options: MongoClientOptions,
  work: (servers: readonly ConnectedServer[]) => Promise<Result>,
): Promise<Result> {
  const connect = (rest: readonly ServerPlace[], servers: ConnectedServer[]): Promise<Result> => {
    const [place, ...others] = rest;
    if (place === undefined) return work(servers);
    return withClient(
      uriOf(uri, place.host),
      (client) => {
        const backup = new ServerBackup(client);
        return connect(others, [...servers, { ...place, backup }]);
      },
      options,
    );
  };
  return connect(places, []);
}

/** @throws FailedCommand */
export function uriOf(routerUri: string, host: string): string {
  const parts = /^mongodb(?:\+srv)?:\/\/(?:([^/]*)@)?[^/?@]*(\/[^?]*)?(\?.*)?$/.exec(routerUri);
  if (parts === null) throw new FailedCommand(`'${routerUri}' is no connection string.`);
  const [, user, database = '/', options = ''] = parts;
  return `mongodb://${user === undefined ? '' : `${user}@`}${host}${database}${options}`;
}
