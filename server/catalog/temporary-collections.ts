/**
 * Collections that live as long as one operation: $out fills one, which then takes its target's place.
 *
 * They are marked in their options, so that a server that ended in between drops them when it starts again.
 */
import { EMPTY_DOCUMENT, getField, setField, TRUE, unsetField } from '../../bson/index.ts';
import type { CollectionDescription, StorageEngine } from '../../storage/index.ts';
import { splitNamespace } from './namespace.ts';

const MARK = 'temp';

/** A name that no other collection has. @param unique random bytes */
export function temporaryNamespace(namespace: string, unique: Buffer): string {
  return `${splitNamespace(namespace).database}.tmp.agg_out.${unique.toString('hex')}`;
}

export function temporaryOptions(options: Buffer): Buffer {
  return setField(options, MARK, TRUE);
}

export function lastingOptions(options: Buffer): Buffer {
  return unsetField(options, MARK);
}

function isTemporary({ options }: CollectionDescription): boolean {
  return options.length > EMPTY_DOCUMENT.length && getField(options, MARK)?.isTruthy() === true;
}

/** Drops one, if it is there. Also for operations that were interrupted: their own transactions are over. */
export function dropTemporary(engine: StorageEngine, namespace: string): void {
  const transaction = engine.begin();
  try {
    const collection = transaction.collection(namespace);
    if (collection !== undefined) transaction.dropCollection(collection);
    transaction.commit();
  } finally {
    transaction.close();
  }
}

/** Drops those that an earlier run of the server left behind. */
export function dropAllTemporary(engine: StorageEngine): void {
  const view = engine.snapshot();
  const left = view.collections().filter(isTemporary);
  view.close();
  for (const { namespace } of left) dropTemporary(engine, namespace);
}
