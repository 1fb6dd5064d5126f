/**
 * Cursors over the catalog: listCollections, listIndexes, $listSearchIndexes.
 */
import type { Document } from 'bson';
import type { Deadline } from '../operations/deadline.ts';
import { execute, type CommandResult } from '../operations/execute.ts';
import { fieldsFrom, type Scope } from '../operations/scope.ts';
import type { ClientSession } from '../sessions/client-session.ts';
import type { AggregateOptions, CursorOptions, ListCollectionsOptions } from '../types/options.ts';
import { AbstractCursor } from './abstract-cursor.ts';
import { AggregationCursor } from './aggregation-cursor.ts';

export interface CollectionInfo extends Document {
  name: string;
  type?: string;
  options?: Document;
  info?: { readOnly?: false; uuid?: unknown };
  idIndex?: Document;
}

export class ListCollectionsCursor<
  T extends Pick<CollectionInfo, 'name' | 'type'> = CollectionInfo,
> extends AbstractCursor<T> {
  readonly #filter: Document;
  readonly #options: ListCollectionsOptions;

  constructor(scope: Scope, filter: Document = {}, options: ListCollectionsOptions = {}) {
    super(scope, options);
    this.#filter = filter;
    this.#options = this.cursorOptions;
    Object.assign(this.#options, fieldsFrom(options, ['nameOnly', 'authorizedCollections']));
  }

  override clone(): ListCollectionsCursor<T> {
    const { session: _session, ...options } = this.#options;
    return new ListCollectionsCursor<T>(this.scope, this.#filter, options);
  }

  protected override open(session: ClientSession, deadline: Deadline): Promise<CommandResult> {
    const { batchSize, nameOnly } = this.#options;
    const command = {
      listCollections: 1,
      filter: this.#filter,
      cursor: batchSize === undefined ? {} : { batchSize },
      nameOnly: nameOnly ?? false,
      ...fieldsFrom(this.#options, ['authorizedCollections', 'comment', 'maxTimeMS', 'rawData']),
    };
    return openList(this.scope, command, this.#options, { session, deadline });
  }
}

export class ListIndexesCursor<T = Document> extends AbstractCursor<T> {
  readonly #options: CursorOptions;

  constructor(scope: Scope, options: CursorOptions = {}) {
    super(scope, options);
    this.#options = this.cursorOptions;
  }

  override clone(): ListIndexesCursor<T> {
    const { session: _session, ...options } = this.#options;
    return new ListIndexesCursor<T>(this.scope, options);
  }

  protected override open(session: ClientSession, deadline: Deadline): Promise<CommandResult> {
    const { batchSize } = this.#options;
    const command = {
      listIndexes: this.scope.collection,
      cursor: batchSize === undefined ? {} : { batchSize },
      ...fieldsFrom(this.#options, ['comment', 'maxTimeMS', 'rawData']),
    };
    return openList(this.scope, command, this.#options, { session, deadline });
  }
}

function openList(
  scope: Scope,
  command: Document,
  options: CursorOptions,
  { session, deadline }: { readonly session: ClientSession; readonly deadline: Deadline },
): Promise<CommandResult> {
  const { readConcern: _none, ...rest } = options;
  const request = scope.request(command, rest, { kind: 'read', decode: 'batch', deadline });
  return execute(scope.client, { ...request, session });
}

/** Search indexes are what a stage says of them. */
export class ListSearchIndexesCursor<T = Document> extends AggregationCursor<T> {
  constructor(scope: Scope, name: string | null, options: AggregateOptions = {}) {
    super(scope, [{ $listSearchIndexes: name === null ? {} : { name } }], options);
  }
}
