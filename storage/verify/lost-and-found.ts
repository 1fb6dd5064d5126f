/**
 * Moves a document out of its collection when another one has its unique key, into a collection for what was lost and found.
 *
 * One commit: at no time it is in both, or in neither.
 */
import { untilInterrupted, type Interruption } from '../../common/interruption.ts';
import { WriteConflictError, type CollectionUuid, type RecordId } from '../contract.ts';
import { EngineTransaction } from '../transactions/transaction.ts';
import type { StoreState } from '../views/store-state.ts';

export interface Move {
  readonly uuid: CollectionUuid;
  readonly recordId: RecordId;
  /** Where it goes. */
  readonly namespace: string;
  readonly interruption: Interruption;
}

/**
 * @returns false when the record was gone already
 * @throws CommandError 11000 when a document with its _id lies there already; the interruption's reason
 */
export async function moveToLostAndFound(
  store: StoreState,
  { uuid, recordId, namespace, interruption }: Move,
): Promise<boolean> {
  for (;;) {
    const transaction = new EngineTransaction(store, { makesKeys: true });
    try {
      const collection = transaction.collectionByUuid(uuid);
      if (collection === undefined) return false;
      const document = await transaction.record(collection, recordId);
      if (document === undefined) return false;
      const target = transaction.collection(namespace) ?? transaction.createCollection(namespace);
      transaction.insert(target, document);
      transaction.delete(collection, recordId, document);
      transaction.commit();
      return true;
    } catch (error) {
      if (!(error instanceof WriteConflictError)) throw error;
      const others = error.blocker ?? new Promise<void>((resolve) => setImmediate(resolve));
      await untilInterrupted(others, interruption);
    } finally {
      transaction.close();
    }
  }
}
