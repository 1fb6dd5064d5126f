/**
 * A server made by the test: reads real messages from real sockets, and answers as the test says.
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { deserialize } from 'bson';
import { systemClock } from '../../common/clock.ts';
import {
  compressMessage,
  Connection,
  decompressMessage,
  encodeOpMsg,
  MessageReader,
  parseOpMsg,
  RequestIds,
  type Address,
  type Compressor,
  type ConnectOptions,
  type OpMsg,
} from '../../wire/index.ts';
import { raw } from './documents.ts';

/** One request as the peer's handler sees it. */
export interface PeerRequest {
  readonly message: OpMsg;
  readonly command: Record<string, unknown>;
  readonly socket: Socket;
  readonly compressor: Compressor | undefined;
  /** @returns the request id of the reply, for a chain of exhaust replies. */
  reply(body: Record<string, unknown>, options?: ReplyOptions): number;
}

export interface ReplyOptions {
  readonly moreToCome?: boolean;
  readonly responseTo?: number;
  readonly compressor?: Compressor;
}

export type Handler = (request: PeerRequest) => void;

export interface PeerOptions {
  readonly tls?: TlsOptions;
  /** Listens on this Unix socket instead of a port. */
  readonly path?: string;
  readonly hello?: Record<string, unknown>;
}

export class Peer {
  readonly requests: Record<string, unknown>[] = [];
  readonly sockets = new Set<Socket>();
  /** Connections accepted so far. */
  accepted = 0;
  handler: Handler;
  hello: Record<string, unknown>;
  private readonly server: Server;
  private readonly requestIds = new RequestIds();

  private constructor(handler: Handler, options: PeerOptions) {
    this.handler = handler;
    this.hello = { maxWireVersion: 25, connectionId: 17, ok: 1, ...options.hello };
    const serve = (socket: Socket): void => this.serve(socket);
    this.server =
      options.tls === undefined ? createServer(serve) : createTlsServer(options.tls, serve);
  }

  /** @param handler answers everything but hello; by default `{ok: 1}`. */
  static async listen(
    handler: Handler = (request) => void request.reply({ ok: 1 }),
    options: PeerOptions = {},
  ): Promise<Peer> {
    const peer = new Peer(handler, options);
    if (options.path === undefined) peer.server.listen(0, '127.0.0.1');
    else peer.server.listen(options.path);
    await once(peer.server, 'listening');
    return peer;
  }

  get address(): Address {
    const address = this.server.address();
    if (address === null) throw new Error('the peer does not listen');
    return typeof address === 'string'
      ? { path: address }
      : { host: '127.0.0.1', port: address.port };
  }

  connect(options: Partial<ConnectOptions> = {}): Promise<Connection> {
    return Connection.connect({
      address: this.address,
      clock: systemClock,
      metadata: { driver: { name: 'test', version: '1' } },
      ...options,
    });
  }

  /** Ends all connections, and listens no more. */
  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  private serve(socket: Socket): void {
    const reader = new MessageReader();
    this.accepted += 1;
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
    // One chunk after the other: a large compressed message takes longer than what follows it.
    let reading = Promise.resolve();
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      reading = reading
        .then(() => this.readMessages(reader, socket))
        .catch(() => void socket.destroy());
    });
  }

  private async readMessages(reader: MessageReader, socket: Socket): Promise<void> {
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      const { message, compressor } = await decompressMessage(next);
      const parsed = parseOpMsg(message);
      const command = deserialize(parsed.body);
      this.requests.push(command);
      const request: PeerRequest = {
        message: parsed,
        command,
        socket,
        compressor,
        reply: (body, options) => this.reply(parsed, socket, { body, ...options }),
      };
      if ('hello' in command) request.reply(this.hello);
      else this.handler(request);
    }
  }

  private reply(
    request: OpMsg,
    socket: Socket,
    options: ReplyOptions & { body: Record<string, unknown> },
  ): number {
    const requestId = this.requestIds.next();
    const message = encodeOpMsg({
      requestId,
      responseTo: options.responseTo ?? request.requestId,
      body: raw(options.body),
      moreToCome: options.moreToCome ?? false,
      checksum: request.checksumPresent,
    });
    this.write(message, socket, options.compressor);
    return requestId;
  }

  private write(message: Buffer, socket: Socket, compressor: Compressor | undefined): void {
    if (compressor === undefined) {
      socket.write(message);
      return;
    }
    Promise.resolve(compressMessage(message, compressor)).then(
      (wrapped) => socket.write(wrapped),
      () => socket.destroy(),
    );
  }
}
