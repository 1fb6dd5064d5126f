/**
 * One message in, one encoded answer out: the part of a connection that knows the wire protocol and no socket.
 *
 * Promises: never throws and never rejects; synchronous when the command is and nothing has to be compressed. A reply goes back
 * as its request came: compressed by the same compressor, with a checksum if it had one, not at all if it asked for none.
 */
import { CommandError } from '../../common/errors.ts';
import type { MaybePromise } from '../../storage/index.ts';
import {
  OP_QUERY_REMOVED,
  OpCode,
  commandOfOpQuery,
  compressMessage,
  decompressMessage,
  encodeOpMsg,
  encodeOpReply,
  endsConnection,
  parseMessage,
  readHeader,
  validateOpMsg,
  type Compressor,
  type OpMsg,
  type OpQuery,
  type PlainMessage,
} from '../../wire/index.ts';
import type { Answer, Dispatcher } from '../command/dispatch.ts';
import type { RequestSource } from '../command/generic-arguments.ts';
import { errorReply } from '../command/reply.ts';
import type { ClientConnection } from '../operation/client-connection.ts';
import type { OperationContext } from '../operation/operation-context.ts';

/** What becomes of a message. */
export interface Outcome {
  /** Bytes for the socket; undefined when no reply is due. */
  readonly reply?: Buffer;
  /** The connection ends now, for this reason. */
  readonly close?: string;
  /** The message was no sound one. */
  readonly malformed?: boolean;
  /** An exhaust exchange goes on once the client has taken the reply. */
  readonly next?: NextRound;
}

/** The next reply to the same request: exactly one of the two is called. */
export interface NextRound {
  run(): MaybePromise<Outcome>;
  /** The client has left. */
  abandon(): void;
}

/** The connection as a message sees it. */
export interface MessageSource extends ClientConnection {
  /** The other end has left: only what asks for no reply is still run. */
  readonly clientEnded: boolean;
  nextRequestId(): number;
  /** @param unacknowledged the request asks for no reply: it goes on when the client leaves. */
  operationStarted(operation: OperationContext, unacknowledged: boolean): void;
}

/** How a reply must look to fit its request. */
interface ReplyForm {
  readonly responseTo: number;
  readonly checksum: boolean;
  readonly compressor: Compressor | undefined;
}

const NO_REPLY: Outcome = {};

export class MessageHandler {
  private readonly dispatcher: Dispatcher;

  constructor(dispatcher: Dispatcher) {
    this.dispatcher = dispatcher;
  }

  /** @param message a whole message as it came from the socket. */
  run(message: Buffer, source: MessageSource): MaybePromise<Outcome> {
    try {
      const plain = decompressMessage(message, source.compressors);
      if (!(plain instanceof Promise)) return this.runPlain(plain, source);
      return plain.then((ready) => this.runPlain(ready, source)).catch(streamLost);
    } catch (error) {
      return streamLost(error);
    }
  }

  private runPlain(plain: PlainMessage, source: MessageSource): MaybePromise<Outcome> {
    try {
      const parsed = parseMessage(plain.message);
      switch (parsed.kind) {
        case 'msg':
          return this.runMsg(parsed, plain.compressor, source);
        case 'query':
          return this.runQuery(parsed, source);
        case 'reply':
          return streamLost(new CommandError('ProtocolError', 'a client sent a reply'));
      }
    } catch (error) {
      return refuse(plain, asCommandError(error), source);
    }
  }

  private runMsg(
    message: OpMsg,
    compressor: Compressor | undefined,
    source: MessageSource,
  ): MaybePromise<Outcome> {
    if (source.clientEnded && !message.moreToCome) return NO_REPLY;
    const form: ReplyForm = {
      responseTo: message.requestId,
      checksum: message.checksumPresent,
      compressor,
    };
    try {
      validateOpMsg(message);
    } catch (error) {
      if (message.moreToCome) return { malformed: true };
      return encode(errorReply(asCommandError(error)), form, source, { malformed: true });
    }
    const request = { bytes: message.body, sequences: message.sequences };
    return this.runRequest(request, message, form, source);
  }

  private runRequest(
    request: RequestSource,
    message: OpMsg,
    form: ReplyForm,
    source: MessageSource,
  ): MaybePromise<Outcome> {
    const answer = this.dispatcher.run(request, source, (operation) =>
      source.operationStarted(operation, message.moreToCome),
    );
    const reply = (ready: Answer): MaybePromise<Outcome> => {
      if (ready.kind === 'close') return { close: 'a fail point asks for it' };
      if (message.moreToCome) return NO_REPLY;
      const { exhaust } = ready;
      if (exhaust === undefined || !message.exhaustAllowed) {
        return encode(ready.body, form, source);
      }
      const requestId = source.nextRequestId();
      const again = { ...form, responseTo: requestId };
      return encode(ready.body, form, source, {
        requestId,
        next: {
          run: () => this.runRequest(request, message, again, source),
          abandon: () => exhaust.abandon?.(),
        },
      });
    };
    return answer instanceof Promise ? answer.then(reply) : reply(answer);
  }

  /** OP_QUERY: the handshake of old drivers. */
  private runQuery(message: OpQuery, source: MessageSource): MaybePromise<Outcome> {
    const { database, body } = commandOfOpQuery(message);
    const answer = this.dispatcher.run(
      { bytes: body, sequences: [], database },
      source,
      (operation) => source.operationStarted(operation, false),
    );
    const reply = (ready: Answer): Outcome =>
      ready.kind === 'close'
        ? { close: 'a fail point asks for it' }
        : { reply: legacyReply(ready.body, message.requestId, source, false) };
    return answer instanceof Promise ? answer.then(reply) : reply(answer);
  }
}

function encode(
  body: Buffer,
  form: ReplyForm,
  source: MessageSource,
  extra?: { requestId?: number; next?: NextRound; malformed?: boolean },
): MaybePromise<Outcome> {
  const message = encodeOpMsg({
    requestId: extra?.requestId ?? source.nextRequestId(),
    responseTo: form.responseTo,
    body,
    moreToCome: extra?.next !== undefined,
    checksum: form.checksum,
  });
  if (form.compressor === undefined) {
    return extra === undefined ? { reply: message } : { ...extra, reply: message };
  }
  const compressed = compressMessage(message, form.compressor);
  if (!(compressed instanceof Promise)) return { ...extra, reply: compressed };
  // A reply that cannot be compressed goes out as it is: every client reads both.
  return compressed.then(
    (reply) => ({ ...extra, reply }),
    () => ({ ...extra, reply: message }),
  );
}

function legacyReply(
  document: Buffer,
  responseTo: number,
  source: MessageSource,
  queryFailure: boolean,
): Buffer {
  return encodeOpReply({ requestId: source.nextRequestId(), responseTo, document, queryFailure });
}

/** A message that could not be parsed: an error reply where the stream is still in step, else the end. */
function refuse(
  plain: PlainMessage,
  error: CommandError,
  source: MessageSource,
): MaybePromise<Outcome> {
  if (endsConnection(error)) return streamLost(error);
  const { opCode, requestId } = readHeader(plain.message);
  const body = errorReply(error);
  if (opCode === OpCode.msg) {
    const form = { responseTo: requestId, checksum: false, compressor: plain.compressor };
    return encode(body, form, source, { malformed: true });
  }
  const reply = legacyReply(body, requestId, source, error.code === OP_QUERY_REMOVED);
  return { reply, malformed: true };
}

function streamLost(error: unknown): Outcome {
  return { close: error instanceof Error ? error.message : String(error), malformed: true };
}

function asCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  return new CommandError(
    'InternalError',
    error instanceof Error ? error.message : 'unknown internal error',
    { cause: error },
  );
}
