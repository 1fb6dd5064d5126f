/**
 * One statement of a write, as the router has to know it: the document that a shard gets, and what says where it belongs.
 */
import { BsonType, EMPTY_DOCUMENT, getField, type RawValue } from '../../bson/index.ts';

export interface Statement {
  /** In the client's batch. */
  readonly index: number;
  /** The document to insert, or the entry of `updates` or `deletes`. */
  readonly raw: Buffer;
  /** Empty for an insert. */
  readonly filter: Buffer;
  readonly collation: Buffer | undefined;
  readonly multi: boolean;
  readonly upsert: boolean;
}

export type WriteKind = 'insert' | 'update' | 'delete';

/** The name of the array that holds a command's statements. */
export const ARRAY_OF: Readonly<Record<WriteKind, string>> = {
  insert: 'documents',
  update: 'updates',
  delete: 'deletes',
};

/** @param raw checked already */
export function statementOf(kind: WriteKind, raw: Buffer, index: number): Statement {
  if (kind === 'insert') {
    return {
      index,
      raw,
      filter: EMPTY_DOCUMENT,
      collation: undefined,
      multi: false,
      upsert: false,
    };
  }
  const limit = getField(raw, 'limit');
  return {
    index,
    raw,
    filter: documentIn(raw, 'q') ?? EMPTY_DOCUMENT,
    collation: documentIn(raw, 'collation'),
    multi: kind === 'update' ? isTrue(getField(raw, 'multi')) : limit?.asNumber() === 0,
    upsert: isTrue(getField(raw, 'upsert')),
  };
}

export function documentIn(raw: Buffer, name: string): Buffer | undefined {
  const value = getField(raw, name);
  return value?.type === BsonType.object ? value.asDocument() : undefined;
}

function isTrue(value: RawValue | undefined): boolean {
  return value?.isTruthy() === true;
}
