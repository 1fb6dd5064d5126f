/**
 * One client connection: whole messages in, one request at a time, replies out in order.
 *
 * Owns: the socket, the bytes not yet understood, the replies not yet taken, the operation under way, and the connection's
 * deadlines (handshake, idle, partial message, unread reply), which share one entry of the timer wheel.
 * Invariants:
 *  1. At most one request runs; the next one starts when its reply is queued.
 *  2. Nothing is read from the socket while a request runs and a megabyte waits behind it, and no request starts while the
 *     client leaves a megabyte of replies unread (push-back). Nor is it read from while the room that all share says so.
 *  3. When the client is gone the operation under way is interrupted, unless it asked for no reply.
 *  4. No exception leaves this class: a lost stream ends this connection, and only this one.
 * Tests: test/server/network/.
 */
import type { Socket } from 'node:net';
import type { Deadline } from '../../common/timer-wheel.ts';
import {
  HTTP_ANSWER,
  MessageReader,
  recogniseFirstBytes,
  unpackedBytes,
} from '../../wire/index.ts';
import { unrestricted, type Principal } from '../auth/principal.ts';
import { clientGone } from '../operation/interruptions.ts';
import type { OperationContext } from '../operation/operation-context.ts';
import type { ServiceContext } from '../operation/service-context.ts';
import type { MaybePromise } from '../../storage/index.ts';
import type { MessageHandler, MessageSource, NextRound, Outcome } from './message-handler.ts';
import type { Receiver, ReceiveRoom } from './receive-room.ts';
import { ReplyQueue, type TurnFlusher } from './reply-queue.ts';

/** What all connections of one server share. */
export interface ConnectionSurroundings {
  readonly service: ServiceContext;
  readonly handler: MessageHandler;
  readonly flusher: TurnFlusher;
  readonly room: ReceiveRoom;
  /** Called once, when the socket is gone. */
  readonly onClosed: (connection: Connection) => void;
}

/** Bytes of further requests that may wait behind the one that runs. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** Replies that the client has not taken, bytes: above it no further request starts. */
const MAX_UNREAD_BYTES = 1024 * 1024;
/** So much of a message must arrive within one partial-message deadline. */
const PARTIAL_PROGRESS_BYTES = 64 * 1024;
/** So long may a pipelining client be answered in one go before other connections get their turn, milliseconds. */
const TURN_MS = 2;
const KEEP_ALIVE_MS = 120_000;
const LARGEST_REQUEST_ID = 0x7fff_ffff;

type Watching = 'handshake' | 'idle' | 'partial' | 'unread';

export class Connection implements MessageSource, Receiver {
  readonly id: number;
  readonly remote: string;
  readonly principal: Principal = unrestricted;
  metadata: Buffer | undefined;
  appName: string | undefined;
  handshakeDone = false;
  compressors: readonly string[] = [];

  private readonly socket: Socket;
  private readonly around: ConnectionSurroundings;
  private readonly reader = new MessageReader();
  private readonly replies: ReplyQueue;
  private readonly deadline: Deadline;
  private watching: Watching = 'handshake';
  /** What the deadline compares with when it fires: progress since it was set. */
  private mark = 0;
  private operation: OperationContext | undefined;
  private unacknowledged = false;
  /** A request runs. */
  private busy = false;
  /** The next round of an exhaust exchange, waiting for the client to take the last one. */
  private next: NextRound | undefined;
  private paused = false;
  /** By the room that all share. */
  private isHeldBack = false;
  /** What the room knows of. */
  private notedBytes = 0;
  /** It has had its time; the rest of what waits is for its next turn. */
  private waitsForTurn = false;
  /** The client has left: only requests that ask for no reply are still run. */
  private ended = false;
  /** Nothing is served any more. */
  private aborted = false;
  private reported = false;
  private nothingReceived = true;
  private requests = 0;
  private bytesRead = 0;
  private lastRequestId = 0;

  constructor(id: number, socket: Socket, around: ConnectionSurroundings) {
    this.id = id;
    this.socket = socket;
    this.around = around;
    this.remote = `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;
    this.replies = new ReplyQueue(socket, around.service.work, () =>
      this.guard(() => this.repliesTaken()),
    );
    this.deadline = around.service.timers.create(() => this.guard(() => this.deadlineFired()));
    this.watch('handshake');
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on('data', (chunk: Buffer) => {
      try {
        this.receive(chunk);
      } catch (error) {
        this.fail(error);
      }
    });
    socket.on('end', () => this.guard(() => this.clientLeft()));
    socket.on('error', () => this.guard(() => this.clientLeft()));
    socket.on('close', () => this.guard(() => this.socketClosed()));
  }

  get clientEnded(): boolean {
    return this.ended;
  }

  /** A request is running: serverStatus counts it. */
  get isActive(): boolean {
    return this.busy;
  }

  /** Bytes held for this client: of messages that are not whole or wait, and of replies that it has not taken. */
  get bufferedBytes(): number {
    return this.reader.bufferedBytes + this.replies.pendingBytes;
  }

  get receivedBytes(): number {
    return this.reader.bufferedBytes;
  }

  get missingBytes(): number {
    return this.reader.missingBytes;
  }

  get mayReceive(): boolean {
    return !this.busy && !this.paused;
  }

  giveUp(): void {
    this.around.service.metrics.network.numTimedOut += 1;
    this.abort('it was slow to send a large message while there was no room for others');
  }

  holdBack(): void {
    this.isHeldBack = true;
    this.socket.pause();
  }

  goOn(): void {
    this.isHeldBack = false;
    if (!this.paused) this.socket.resume();
  }

  nextRequestId(): number {
    this.lastRequestId = this.lastRequestId === LARGEST_REQUEST_ID ? 1 : this.lastRequestId + 1;
    return this.lastRequestId;
  }

  operationStarted(operation: OperationContext, unacknowledged: boolean): void {
    this.operation = operation;
    this.unacknowledged = unacknowledged;
  }

  abort(why: string): void {
    if (this.aborted) return;
    this.aborted = true;
    this.around.service.log.withContext(`conn${this.id}`).write({
      severity: 'I',
      component: 'NETWORK',
      id: 2_100_001,
      message: 'Connection ended by the server',
      attributes: { remote: this.remote, why },
    });
    this.ended = true;
    this.abandonNext();
    this.operation?.interrupt(clientGone());
    this.socket.destroy();
  }

  /** Ends the connection once the client has taken the replies that are queued: at shutdown. */
  endGently(): void {
    this.replies.flush();
    this.socket.end();
    if (!this.socket.destroyed && this.watching !== 'unread') this.watch('unread');
  }

  private receive(chunk: Buffer): void {
    this.bytesRead += chunk.length;
    this.around.service.metrics.network.bytesIn += chunk.length;
    if (this.nothingReceived && this.answerForeigner(chunk)) return;
    this.reader.push(chunk);
    if (!this.busy) this.serve();
    if ((this.busy || this.waitsForTurn) && this.reader.bufferedBytes > MAX_WAITING_BYTES) {
      this.pause();
    }
    this.noteReceived();
  }

  /** Most chunks are whole messages: there is nothing to say then. */
  private noteReceived(): void {
    const by = this.reader.bufferedBytes - this.notedBytes;
    if (by === 0 || this.reported) return;
    this.notedBytes += by;
    this.around.room.changed(this, by);
  }

  /** Tells a browser what it met, and ends a TLS client's attempt at a plain port. */
  private answerForeigner(chunk: Buffer): boolean {
    this.nothingReceived = false;
    const kind = recogniseFirstBytes(chunk);
    if (kind !== 'http' && kind !== 'tls') return false;
    if (kind === 'http') this.socket.end(HTTP_ANSWER);
    else this.abort('it speaks TLS, and this port does not');
    return true;
  }

  /** Answers the requests that are there, until one has to wait. */
  private serve(): void {
    // One turn at a time: each chunk that arrives meanwhile would begin another one beside it.
    if (this.waitsForTurn) return;
    let endMs: number | undefined;
    while (!this.busy && !this.aborted) {
      if (this.replies.pendingBytes > MAX_UNREAD_BYTES) return this.pushBack();
      const outcome = this.startNext();
      if (outcome === undefined) return this.waitForMore();
      if (outcome instanceof Promise) return this.awaitOutcome(outcome);
      this.conclude(outcome);
      // The clock is asked only for clients that pipeline.
      if (!this.hasMore) continue;
      endMs ??= this.nowMs() + TURN_MS;
      if (this.nowMs() > endMs) return this.serveNextTurn();
    }
  }

  /** A request may wait, or the next round of an exhaust exchange. */
  private get hasMore(): boolean {
    return this.next !== undefined || this.reader.bufferedBytes > 0;
  }

  /** Starts the next round of an exhaust exchange, or the next request; undefined when there is none yet. */
  private startNext(): MaybePromise<Outcome> | undefined {
    if (this.next !== undefined) return this.startRound(this.next);
    let message: Buffer | undefined;
    try {
      message = this.reader.next();
    } catch (error) {
      return { close: error instanceof Error ? error.message : String(error), malformed: true };
    }
    if (message === undefined) return undefined;
    this.busy = true;
    this.requests += 1;
    this.around.service.metrics.network.numRequests += 1;
    const { handler, service } = this.around;
    return service.work.runMessage(unpackedBytes(message), () =>
      this.aborted ? {} : handler.run(message, this),
    );
  }

  private startRound(next: NextRound): MaybePromise<Outcome> | undefined {
    if (this.replies.pendingBytes > 0) return undefined;
    this.next = undefined;
    this.busy = true;
    return next.run();
  }

  private awaitOutcome(outcome: Promise<Outcome>): void {
    outcome.then(
      (ready) =>
        this.guard(() => {
          this.conclude(ready);
          this.serve();
          this.noteReceived();
        }),
      (error: unknown) => this.guard(() => this.fail(error)),
    );
  }

  private conclude(outcome: Outcome): void {
    this.busy = false;
    this.operation = undefined;
    this.unacknowledged = false;
    if (outcome.malformed === true) this.around.service.metrics.network.numMalformed += 1;
    if (outcome.close !== undefined) return this.abort(outcome.close);
    if (this.ended) return outcome.next?.abandon();
    if (outcome.reply === undefined) return;
    this.next = outcome.next;
    this.around.service.metrics.network.bytesOut += outcome.reply.length;
    this.replies.push(outcome.reply);
    this.around.flusher.add(this.replies);
  }

  /** No whole request is there. */
  private waitForMore(): void {
    if (this.ended) return this.endGently();
    this.resume();
    // Until the first request is through, one deadline covers all of it.
    if (this.requests === 0) return;
    if (this.reader.bufferedBytes === 0) {
      if (this.watching !== 'idle' && this.watching !== 'unread') this.watch('idle');
    } else if (this.watching !== 'partial') this.watch('partial');
  }

  /** The client does not read: no further request, nothing more from the socket, and a deadline. */
  private pushBack(): void {
    this.pause();
    if (this.watching !== 'unread') this.watch('unread');
  }

  private repliesTaken(): void {
    if (this.aborted) return;
    if (this.watching === 'unread' && this.replies.pendingBytes <= MAX_UNREAD_BYTES) {
      this.watch('idle');
    }
    // The usual case is that nothing waits for this.
    if (!this.busy && (this.hasMore || this.paused || this.ended)) {
      this.serve();
      this.noteReceived();
    }
  }

  private nowMs(): number {
    return this.around.service.clock.monotonicMs();
  }

  private serveNextTurn(): void {
    this.waitsForTurn = true;
    setImmediate(() =>
      this.guard(() => {
        this.waitsForTurn = false;
        this.serve();
        this.noteReceived();
      }),
    );
  }

  private pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.socket.pause();
  }

  private resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (!this.isHeldBack) this.socket.resume();
  }

  private watch(what: Watching): void {
    this.watching = what;
    this.mark = this.progress();
    this.deadline.set(this.timeoutMs());
  }

  private timeoutMs(): number {
    const { parameters } = this.around.service;
    switch (this.watching) {
      case 'handshake':
        return parameters.get('connectionHandshakeTimeoutMillis');
      case 'idle':
        return parameters.get('connectionIdleTimeoutMillis');
      case 'partial':
        return parameters.get('partialMessageTimeoutMillis');
      case 'unread':
        return parameters.get('unreadReplyTimeoutMillis');
    }
  }

  /** Grows as long as the other end does what the deadline asks of it. */
  private progress(): number {
    switch (this.watching) {
      case 'handshake':
      case 'idle':
        return this.requests;
      case 'partial':
        return this.requests + Math.floor(this.bytesRead / PARTIAL_PROGRESS_BYTES);
      case 'unread':
        return this.replies.writesDone;
    }
  }

  private deadlineFired(): void {
    if (this.aborted) return;
    if (this.isHeldBack) {
      this.watch(this.watching);
      return;
    }
    // While a request runs the client is waiting for us, not we for it.
    if (this.busy || this.progress() !== this.mark) {
      this.watch(this.watching === 'handshake' ? 'idle' : this.watching);
      return;
    }
    this.around.service.metrics.network.numTimedOut += 1;
    if (this.watching === 'unread') this.around.service.metrics.network.numSlowReaders += 1;
    this.abort(TIMED_OUT[this.watching]);
  }

  /** The client closed its end, or the network did. */
  private clientLeft(): void {
    if (this.ended) return;
    this.ended = true;
    this.abandonNext();
    if (!this.unacknowledged) this.operation?.interrupt(clientGone());
    if (!this.busy) this.serve();
  }

  private abandonNext(): void {
    const { next } = this;
    this.next = undefined;
    next?.abandon();
  }

  private socketClosed(): void {
    this.deadline.cancel();
    this.replies.clear();
    this.clientLeft();
    if (this.reported) return;
    this.reported = true;
    this.around.room.forget(this, this.notedBytes);
    this.around.onClosed(this);
  }

  private fail(error: unknown): void {
    this.around.service.log.write({
      severity: 'E',
      component: 'NETWORK',
      id: 2_100_002,
      message: 'A connection failed in a way that nobody foresaw',
      attributes: {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      },
    });
    this.abort('an internal error');
  }

  private guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.fail(error);
    }
  }
}

const TIMED_OUT: Readonly<Record<Watching, string>> = {
  handshake: 'it sent no message in time',
  idle: 'it was idle for too long',
  partial: 'it sent half a message and not the rest',
  unread: 'it did not read its replies',
};
