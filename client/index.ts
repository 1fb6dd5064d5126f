/**
 * The door of client/: what `import … from 'flintdb'` gives.
 */
export * from './errors/driver-errors.ts';
export * from './errors/mongo-error.ts';
export * from './errors/network-errors.ts';
export { HostAddress } from './options/connection-string.ts';
export { AuthMechanism } from './options/credentials.ts';
export { parseClientOptions, type ClientSettings } from './options/parse-options.ts';
export {
  decodeBatch,
  decodeDocument,
  decodeReply,
  encodeDocument,
} from './documents/bson-options.ts';
export * from './concerns/read-concern.ts';
export * from './concerns/read-preference.ts';
export * from './concerns/write-concern.ts';
export {
  ServerType,
  TopologyType,
  type Server,
  type Transport,
  type TransportSurroundings,
} from './transport/contract.ts';
