/**
 * The name of a member of the cluster, as config.shards and --configdb have it: "host:port".
 */
import type { TcpAddress } from '../../wire/index.ts';

const DEFAULT_PORT = 27_017;
const HIGHEST_PORT = 65_535;

/** @returns undefined for what is no host with a port, a replica set's "name/host,host" among it. */
export function parseHost(text: string): TcpAddress | undefined {
  const match = /^(\[[0-9a-fA-F:]+\]|[^/:,@\s]+)(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [, host, digits] = match;
  const port = digits === undefined ? DEFAULT_PORT : Number(digits);
  if (port === 0 || port > HIGHEST_PORT) return undefined;
  return { host: host.replace(/^\[|\]$/g, ''), port };
}
