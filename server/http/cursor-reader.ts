/**
 * Reads a cursor's documents batch by batch, on behalf of one request.
 *
 * Owns: the cursor from the reply that opened it. Promises: close() leaves none behind on the server.
 */
import { CommandError } from '../../common/errors.ts';
import { BsonType, DocumentBuilder, FieldCursor, getField, int64Value } from '../../bson/index.ts';
import type { CommandCaller } from './command-runner.ts';
import { HttpRefusal } from './problem.ts';

/** A reply that says `ok: 0`, thrown. */
export class FailedReply extends Error {
  readonly reply: Buffer;

  constructor(reply: Buffer) {
    super('the command failed');
    this.name = 'FailedReply';
    this.reply = reply;
  }
}

/** Runs a command and gives its reply. @throws FailedReply; HttpRefusal when the connection is to be closed. */
export type RunCommand = (command: Buffer, caller: CommandCaller) => Promise<Buffer>;

export class CursorReader {
  private readonly run: RunCommand;
  private readonly caller: CommandCaller;
  private readonly database: string;
  private readonly session: Buffer | undefined;
  private readonly namespace: string;
  private id: bigint;
  private first: Buffer | undefined;

  /** @param command the one that opened it; @param reply what it answered. */
  constructor(command: Buffer, reply: Buffer, caller: CommandCaller, run: RunCommand) {
    const cursor = getField(reply, 'cursor');
    if (cursor?.type !== BsonType.object) {
      throw new HttpRefusal(406, 'This command answers with no cursor, which lines are made of.');
    }
    const description = cursor.asDocument();
    const namespace = getField(description, 'ns')?.asString() ?? '';
    const dot = namespace.indexOf('.');
    this.run = run;
    this.caller = caller;
    this.database = namespace.slice(0, dot);
    this.namespace = namespace.slice(dot + 1);
    const session = getField(command, 'lsid');
    this.session = session?.type === BsonType.object ? session.asDocument() : undefined;
    const id = getField(description, 'id');
    this.id = id?.type === BsonType.int64 ? id.bytes.readBigInt64LE(id.start) : 0n;
    this.first = getField(description, 'firstBatch')?.asDocument();
  }

  /** The next documents; undefined: there are no more. @throws FailedReply. */
  async next(): Promise<Buffer[] | undefined> {
    const { first } = this;
    if (first !== undefined) {
      this.first = undefined;
      return documentsOf(first);
    }
    if (this.id === 0n) return undefined;
    const command = this.beginCommand('getMore', int64Value(this.id));
    command.appendString('collection', this.namespace);
    let reply: Buffer;
    try {
      reply = await this.run(command.finish(), this.caller);
    } catch (error) {
      // Most failures end the cursor; the others are ended by close().
      if (error instanceof FailedReply && isCursorGone(error.reply)) this.id = 0n;
      throw error;
    }
    const description = getField(reply, 'cursor')?.asDocument();
    if (description === undefined)
      throw new CommandError('InternalError', 'getMore gave no cursor');
    const id = getField(description, 'id');
    this.id = id?.type === BsonType.int64 ? id.bytes.readBigInt64LE(id.start) : 0n;
    const batch = getField(description, 'nextBatch')?.asDocument();
    return batch === undefined ? [] : documentsOf(batch);
  }

  /** Ends the cursor where it is not at its end. Never rejects. */
  async close(): Promise<void> {
    if (this.id === 0n) return;
    const command = new DocumentBuilder().appendString('killCursors', this.namespace);
    command.beginArray('cursors').append('0', int64Value(this.id)).end();
    command.appendString('$db', this.database);
    if (this.session !== undefined) command.appendDocument('lsid', this.session);
    this.id = 0n;
    // The client may have left: this is for the server's own sake.
    const caller = { ...this.caller, signal: new AbortController().signal };
    await this.run(command.finish(), caller).catch(() => undefined);
  }

  private beginCommand(name: string, value: ReturnType<typeof int64Value>): DocumentBuilder {
    const command = new DocumentBuilder().append(name, value).appendString('$db', this.database);
    if (this.session !== undefined) command.appendDocument('lsid', this.session);
    return command;
  }
}

const CURSOR_NOT_FOUND = 43;

function isCursorGone(reply: Buffer): boolean {
  return getField(reply, 'code')?.asNumber() === CURSOR_NOT_FOUND;
}

function documentsOf(batch: Buffer): Buffer[] {
  const documents: Buffer[] = [];
  const cursor = new FieldCursor(batch);
  while (cursor.next()) documents.push(cursor.value().asDocument());
  return documents;
}
