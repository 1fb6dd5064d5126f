/**
 * A cursor of any command whose reply has one: db.runCursorCommand().
 */
import type { Document } from 'bson';
import { MongoAPIError } from '../errors/driver-errors.ts';
import type { Deadline } from '../operations/deadline.ts';
import { execute, type CommandResult } from '../operations/execute.ts';
import type { Scope } from '../operations/scope.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type { RunCursorCommandOptions } from '../types/options.ts';
import { AbstractCursor } from './abstract-cursor.ts';

export class RunCommandCursor<T = Document> extends AbstractCursor<T> {
  readonly command: Readonly<Document>;
  readonly #options: RunCursorCommandOptions;

  constructor(scope: Scope, command: Document, options: RunCursorCommandOptions = {}) {
    const { cursorType, ...rest } = options;
    super(scope, {
      ...rest,
      ...(cursorType === undefined ? {} : { tailable: true }),
      ...(cursorType === 'awaitData' ? { awaitData: true } : {}),
    });
    this.command = Object.freeze({ ...command });
    this.#options = this.cursorOptions;
  }

  override clone(): RunCommandCursor<T> {
    throw new MongoAPIError('Clone not supported, create a new cursor with db.runCursorCommand');
  }

  /** Sent with each getMore. */
  setComment(comment: unknown): this {
    this.cursorOptions.comment = comment;
    return this;
  }

  setMaxTimeMS(maxTimeMS: number): this {
    this.cursorOptions.maxAwaitTimeMS = maxTimeMS;
    return this;
  }

  setBatchSize(batchSize: number): this {
    this.cursorOptions.batchSize = batchSize;
    return this;
  }

  override addCursorFlag(): never {
    throw new MongoAPIError(
      'addCursorFlag must be set on the command document directly, to configure getMores use setMaxTimeMS, setBatchSize, and setComment',
    );
  }

  override batchSize(): never {
    throw new MongoAPIError(
      'batchSize must be configured on the command document directly, to configure getMore.batchSize use cursor.setBatchSize()',
    );
  }

  override maxTimeMS(): never {
    throw new MongoAPIError(
      'maxTimeMS must be configured on the command document directly, to configure getMore.maxTimeMS use cursor.setMaxTimeMS()',
    );
  }

  override withReadConcern(): never {
    throw new MongoAPIError(
      'RunCommandCursor does not support readConcern it must be attached to the command being run',
    );
  }

  protected override open(session: ClientSession, deadline: Deadline): Promise<CommandResult> {
    const request = this.scope.request({ ...this.command }, this.#options, {
      kind: 'other',
      decode: 'batch',
      deadline,
    });
    return execute(this.client, { ...request, session });
  }
}
