/**
 * The asking side of one connection: requests out, replies in, matched by responseTo.
 *
 * Owns: the socket, and every request that waits for a reply.
 * Invariants:
 *  1. A waiter is settled exactly once: by its reply, by its deadline or interruption, or by the end of the connection.
 *  2. A request that is given up ends the connection: the peer answers in order, and the late reply would hold up, or be
 *     taken for, the answer of a later request.
 *  3. After the end nothing is sent; every waiter and every later request gets the error that ended it.
 *  4. Messages leave in the order in which they were asked for, also when compressing one takes longer than the next.
 * Never: retries, or chooses a server. Tests: test/wire/connection.test.ts.
 */
import type { Socket } from 'node:net';
import { validateDocument } from '../bson/index.ts';
import type { Clock } from '../common/clock.ts';
import { NetworkError } from '../common/errors.ts';
import type { Interruption } from '../common/interruption.ts';
import { MAX_BSON_INTERNAL_BYTES } from '../common/limits.ts';
import { formatAddress, type Address } from './address.ts';
import { errorOfReply } from './command-reply.ts';
import type { Compressor, CompressorName } from './compressors/compressor.ts';
import { compressorByName, prepareCompressors } from './compressors/registry.ts';
import { watchLimits } from './deadline.ts';
import { ExhaustReplies } from './exhaust-replies.ts';
import {
  describePeer,
  helloCommand,
  type ClientMetadata,
  type HandshakeFields,
  type PeerDescription,
} from './handshake.ts';
import { RequestIds } from './header.ts';
import { parseMessage } from './message.ts';
import { MessageReader } from './message-reader.ts';
import { asNetworkError, NetworkTimeoutError } from './network-errors.ts';
import { compressMessage, decompressMessage, type PlainMessage } from './op-compressed.ts';
import { encodeOpMsg, type DocumentSequence, type OpMsg } from './op-msg.ts';
import { openSocket, type OpenSocketOptions } from './socket.ts';

export interface ConnectOptions {
  readonly address: Address;
  /** TLS with these options; absent: plain. */
  readonly tls?: OpenSocketOptions['tls'];
  readonly clock: Clock;
  readonly metadata: ClientMetadata;
  /** Sent with the hello. */
  readonly handshake?: HandshakeFields;
  /** Offered to the peer in this order; none by default. */
  readonly compressors?: readonly CompressorName[];
  /** Send a CRC-32C with every message; those that come are always checked. */
  readonly checksums?: boolean;
  /** For the socket and the handshake together; default 10,000. */
  readonly connectTimeoutMs?: number;
  readonly interruption?: Interruption;
}

export interface RequestOptions {
  readonly sequences?: readonly DocumentSequence[];
  /** Until the reply (for exhaust: each reply); absent: no deadline. */
  readonly timeoutMs?: number;
  readonly interruption?: Interruption;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/** Secrets and handshakes stay uncompressed. Source: driver specification "OP_COMPRESSED". */
const NEVER_COMPRESSED: ReadonlySet<string> = new Set([
  'hello',
  'isMaster',
  'ismaster',
  'saslStart',
  'saslContinue',
  'getnonce',
  'authenticate',
  'createUser',
  'updateUser',
]);

/** Who waits for the reply to one request id. */
interface Waiter {
  reply(reply: OpMsg): void;
  fail(error: Error): void;
}

export class Connection {
  readonly address: Address;
  private readonly socket: Socket;
  private readonly clock: Clock;
  private readonly checksums: boolean;
  private readonly reader = new MessageReader();
  private readonly requestIds = new RequestIds();
  private readonly waiters = new Map<number, Waiter>();
  private failure: Error | undefined;
  private compressor: Compressor | undefined;
  private accepted: readonly CompressorName[] = [];
  private description: PeerDescription | undefined;
  /** Resolves when everything asked for so far has been handed to the socket; undefined when it already has. */
  private sending: Promise<void> | undefined;
  private decompressing = false;
  private pauses = 0;
  private readonly closeListeners: (() => void)[] = [];

  /** Opens a socket and shakes hands. @throws NetworkError, the peer's CommandError, or the interruption's reason. */
  static async connect(options: ConnectOptions): Promise<Connection> {
    const startedMs = options.clock.monotonicMs();
    const budgetMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
    const socket = await openSocket({ ...options, timeoutMs: budgetMs });
    const connection = new Connection(socket, options);
    const leftMs = Math.max(0, budgetMs - (options.clock.monotonicMs() - startedMs));
    try {
      await connection.shakeHands(options, leftMs);
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  private constructor(socket: Socket, options: ConnectOptions) {
    this.socket = socket;
    this.address = options.address;
    this.clock = options.clock;
    this.checksums = options.checksums ?? false;
    socket.on('data', (chunk) => this.receive(chunk));
    socket.on('error', (error) =>
      this.end(asNetworkError(error, `connection to ${this.peerName}`)),
    );
    socket.on('close', () => this.end(this.lost('was closed by the peer')));
  }

  private async shakeHands(options: ConnectOptions, timeoutMs: number): Promise<void> {
    const ours = await prepareCompressors(options.compressors ?? []);
    const hello = await this.command(helloCommand(options.metadata, ours, options.handshake), {
      timeoutMs,
      ...(options.interruption === undefined ? {} : { interruption: options.interruption }),
    });
    this.description = describePeer(hello, ours);
    this.accepted = this.description.compressors;
    const first = this.accepted[0];
    this.compressor = first === undefined ? undefined : compressorByName(first);
  }

  /** What the peer said in the handshake. */
  get peer(): PeerDescription {
    if (this.description === undefined) throw this.lost('has not shaken hands');
    return this.description;
  }

  get isOpen(): boolean {
    return this.failure === undefined;
  }

  /** Requests without their reply so far. */
  get requestsInFlight(): number {
    return this.waiters.size;
  }

  /** Calls `listener` once when the connection has ended, for whatever reason; at once if it already has. */
  onEnd(listener: () => void): void {
    if (this.isOpen) this.closeListeners.push(listener);
    else listener();
  }

  /**
   * Sends a command and resolves with its reply, whatever that says.
   * @param body a command with `$db`, raw BSON.
   * @throws NetworkError, NetworkTimeoutError, the interruption's reason; the connection has ended then.
   */
  request(body: Buffer, options: RequestOptions = {}): Promise<OpMsg> {
    return new Promise((resolve, reject) => {
      this.throwIfUnusable(options.interruption);
      const requestId = this.requestIds.next();
      const message = this.encode(requestId, body, options);
      const unwatch = this.watch(options);
      this.waiters.set(requestId, {
        reply(reply) {
          unwatch();
          resolve(reply);
        },
        fail(error) {
          unwatch();
          reject(error);
        },
      });
      this.send(message, body);
    });
  }

  /** Like request, but throws the peer's error if the reply does not say ok: 1. @returns the reply's body. */
  async command(body: Buffer, options: RequestOptions = {}): Promise<Buffer> {
    const reply = await this.request(body, options);
    const error = errorOfReply(reply.body);
    if (error !== undefined) throw error;
    return reply.body;
  }

  /** Sends a command with moreToCome: there is no reply. Resolves when the socket's buffer has room again. */
  async sendOnly(body: Buffer, options: Pick<RequestOptions, 'sequences'> = {}): Promise<void> {
    this.throwIfUnusable(undefined);
    this.send(this.encode(this.requestIds.next(), body, { ...options, moreToCome: true }), body);
    await this.sending;
    if (this.isOpen && this.socket.writableNeedDrain) await this.drained();
    if (this.failure !== undefined) throw this.failure;
  }

  /**
   * Sends a command that allows several replies, and yields them as they come. Leaving the loop before the last one ends
   * the connection: the protocol knows no other way to stop them. No other request may be made meanwhile.
   */
  async *exhaust(body: Buffer, options: RequestOptions = {}): AsyncGenerator<OpMsg, void, void> {
    this.throwIfUnusable(options.interruption);
    const replies = new ExhaustReplies({
      pause: () => this.pause(),
      resume: () => this.resume(),
    });
    const requestId = this.requestIds.next();
    this.awaitExhaust(requestId, replies);
    this.send(this.encode(requestId, body, { ...options, exhaustAllowed: true }), body);
    try {
      for (;;) {
        const unwatch = this.watch(options);
        const reply = await replies.next().finally(unwatch);
        yield reply;
        if (!reply.moreToCome) return;
      }
    } finally {
      if (!replies.isComplete) this.end(this.lost('was left before its last exhaust reply'));
      replies.discard();
    }
  }

  /** From now on the connection alone does not keep the process alive. */
  unref(): void {
    this.socket.unref();
  }

  /** Ends the connection; requests in flight fail. Idempotent. */
  close(): void {
    this.end(this.lost('was closed'));
  }

  private get peerName(): string {
    return formatAddress(this.address);
  }

  private lost(how: string): NetworkError {
    return new NetworkError(`connection to ${this.peerName} ${how}`);
  }

  private throwIfUnusable(interruption: Interruption | undefined): void {
    if (this.failure !== undefined) throw this.failure;
    interruption?.throwIfInterrupted();
  }

  /** Ends the connection when a wait's limits are reached. */
  private watch(options: RequestOptions): () => void {
    const timedOut = (): Error =>
      new NetworkTimeoutError(`no reply from ${this.peerName} within ${options.timeoutMs} ms`);
    return watchLimits({ ...options, clock: this.clock }, timedOut, (reason) => this.end(reason));
  }

  private encode(
    requestId: number,
    body: Buffer,
    options: RequestOptions & { moreToCome?: boolean; exhaustAllowed?: boolean },
  ): Buffer {
    return encodeOpMsg({
      requestId,
      body,
      sequences: options.sequences ?? [],
      moreToCome: options.moreToCome ?? false,
      exhaustAllowed: options.exhaustAllowed ?? false,
      checksum: this.checksums,
    });
  }

  private send(message: Buffer, body: Buffer): void {
    const compressor = this.compressor;
    const outgoing =
      compressor === undefined || NEVER_COMPRESSED.has(commandName(body))
        ? message
        : compressMessage(message, compressor);
    if (outgoing instanceof Promise || this.sending !== undefined) this.sendInTurn(outgoing);
    else this.write(outgoing);
  }

  private sendInTurn(outgoing: Buffer | Promise<Buffer>): void {
    const turn: Promise<void> = Promise.all([outgoing, this.sending])
      .then(([message]) => this.write(message))
      .catch((error: unknown) => this.end(asNetworkError(error, `sending to ${this.peerName}`)))
      .finally(() => {
        if (this.sending === turn) this.sending = undefined;
      });
    this.sending = turn;
  }

  private write(message: Buffer): void {
    if (this.isOpen) this.socket.write(message);
  }

  private drained(): Promise<void> {
    return new Promise((resolve) => {
      this.socket.once('drain', resolve);
      this.onEnd(resolve);
    });
  }

  private receive(chunk: Buffer): void {
    this.reader.push(chunk);
    this.deliverMessages();
  }

  /** Hands out every whole message; stops at one that must be decompressed elsewhere, and goes on after it. */
  private deliverMessages(): void {
    try {
      while (this.isOpen && !this.decompressing) {
        const message = this.reader.next();
        if (message === undefined) return;
        const plain = decompressMessage(message, this.accepted);
        if (plain instanceof Promise) this.deliverLater(plain);
        else this.deliver(plain.message);
      }
    } catch (error) {
      this.end(asNetworkError(error, `reply of ${this.peerName}`));
    }
  }

  private deliverLater(plain: Promise<PlainMessage>): void {
    this.decompressing = true;
    this.pause();
    plain
      .then(({ message }) => {
        this.decompressing = false;
        this.deliver(message);
        this.resume();
        this.deliverMessages();
      })
      .catch((error: unknown) => this.end(asNetworkError(error, `reply of ${this.peerName}`)));
  }

  private deliver(message: Buffer): void {
    const reply = parseMessage(message);
    if (reply.kind !== 'msg') throw this.lost('sent something that is no OP_MSG');
    const waiter = this.waiters.get(reply.responseTo);
    if (waiter === undefined) throw this.lost('sent a reply that nobody asked for');
    validateDocument(reply.body, { maxBytes: MAX_BSON_INTERNAL_BYTES });
    this.waiters.delete(reply.responseTo);
    waiter.reply(reply);
  }

  /** Each exhaust reply answers the one before it; the first answers the request. */
  private awaitExhaust(requestId: number, replies: ExhaustReplies): void {
    this.waiters.set(requestId, {
      reply: (reply) => {
        replies.push(reply);
        if (reply.moreToCome) this.awaitExhaust(reply.requestId, replies);
      },
      fail: (error) => replies.fail(error),
    });
  }

  private pause(): void {
    this.pauses += 1;
    this.socket.pause();
  }

  private resume(): void {
    this.pauses -= 1;
    if (this.pauses === 0 && this.isOpen) this.socket.resume();
  }

  private end(reason: Error): void {
    if (this.failure !== undefined) return;
    this.failure = reason;
    this.socket.destroy();
    const waiters = [...this.waiters.values()];
    this.waiters.clear();
    for (const waiter of waiters) waiter.fail(reason);
    for (const listener of this.closeListeners.splice(0)) listener();
  }
}

/** The first field's name: of a command that we built ourselves, so it need not be validated. */
function commandName(body: Buffer): string {
  return body.toString('latin1', 5, Math.max(5, body.indexOf(0, 5)));
}
