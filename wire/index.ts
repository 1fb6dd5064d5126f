/**
 * The door of wire/: framing, messages, compression, and the asking side of a connection.
 */
export { formatAddress, type Address, type SocketPath, type TcpAddress } from './address.ts';
export { errorOfReply } from './command-reply.ts';
export { COMPRESSOR_IDS, type Compressor, type CompressorName } from './compressors/compressor.ts';
export {
  compressorById,
  compressorByName,
  DEFAULT_COMPRESSORS,
  isCompressorName,
  negotiateCompressors,
  prepareCompressors,
} from './compressors/registry.ts';
export { Connection, type ConnectOptions, type RequestOptions } from './connection.ts';
export {
  ConnectionPool,
  type ConnectionPoolOptions,
  type EndReason,
  type PoolObserver,
  type PoolStatistics,
} from './connection-pool.ts';
export { HTTP_ANSWER, recogniseFirstBytes, type FirstBytes } from './first-bytes.ts';
export type { ClientMetadata, HandshakeFields, PeerDescription } from './handshake.ts';
export {
  MESSAGE_HEADER,
  OpCode,
  readHeader,
  RequestIds,
  writeHeader,
  type MessageHeader,
} from './header.ts';
export { MessageReader } from './message-reader.ts';
export { endsConnection, parseMessage, type Message } from './message.ts';
export { asNetworkError, NetworkTimeoutError } from './network-errors.ts';
export {
  compressMessage,
  decompressMessage,
  unpackedBytes,
  type PlainMessage,
} from './op-compressed.ts';
export {
  encodeOpMsg,
  OP_MSG,
  OpMsgFlag,
  parseOpMsg,
  type DocumentSequence,
  type OpMsg,
  type OpMsgContents,
} from './op-msg.ts';
export {
  commandOfOpQuery,
  encodeOpQuery,
  OP_QUERY_REMOVED,
  parseOpQuery,
  type OpQuery,
  type OpQueryCommand,
} from './op-query.ts';
export { encodeOpReply, parseOpReply, type OpReply } from './op-reply.ts';
export { validateOpMsg } from './validate-op-msg.ts';
