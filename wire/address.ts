/**
 * Where a peer listens.
 */

export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** A Unix domain socket. */
export interface SocketPath {
  readonly path: string;
}

export type Address = TcpAddress | SocketPath;

/** Text for messages and logs: `localhost:27017`, `[::1]:27017`, `/tmp/mongodb-27017.sock`. */
export function formatAddress(address: Address): string {
  if ('path' in address) return address.path;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
