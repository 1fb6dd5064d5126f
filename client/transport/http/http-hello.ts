/**
 * The greeting over HTTP: what a server's hello says of it, as far as commands depend on it.
 */
import { deserialize, serialize } from 'bson';
import { ServerType, type ServerTraits } from '../contract.ts';

export const HELLO: Uint8Array = serialize({ hello: 1, $db: 'admin' });

/** Of a server that did not answer. */
export const NO_TRAITS: Omit<ServerTraits, 'address'> = {
  type: ServerType.Unknown,
  minWireVersion: 0,
  maxWireVersion: 0,
  maxBsonObjectSize: 16 * 1024 * 1024,
  maxMessageSizeBytes: 48_000_000,
  maxWriteBatchSize: 100_000,
  logicalSessionTimeoutMinutes: null,
};

/** @returns undefined when it is no hello that succeeded. */
export function traitsOfHello(address: string, reply: Uint8Array): ServerTraits | undefined {
  const hello = deserialize(reply);
  if (hello['ok'] !== 1 || typeof hello['maxWireVersion'] !== 'number') return undefined;
  return {
    ...NO_TRAITS,
    address,
    type: hello['msg'] === 'isdbgrid' ? ServerType.Mongos : ServerType.Standalone,
    minWireVersion: hello['minWireVersion'],
    maxWireVersion: hello['maxWireVersion'],
    maxBsonObjectSize: hello['maxBsonObjectSize'],
    // The message is a body here: it may be as long as a message without its header.
    maxMessageSizeBytes: hello['maxMessageSizeBytes'],
    maxWriteBatchSize: hello['maxWriteBatchSize'],
    logicalSessionTimeoutMinutes: hello['logicalSessionTimeoutMinutes'] ?? null,
  };
}
