/**
 * collectionUUID: a command that was meant for one collection is not run on another one that took its name.
 * Source: MongoDB's error CollectionUUIDMismatch and its further fields.
 */
import { binaryValue, NULL, stringValue } from '../../bson/index.ts';
import { CommandError } from '../../common/errors.ts';
import type { CollectionUuid, ReadView } from '../../storage/index.ts';
import { splitNamespace } from '../catalog/namespace.ts';

const UUID_SUBTYPE = 4;

/** @throws CommandError CollectionUUIDMismatch */
export function checkCollectionUuid(view: ReadView, namespace: string, uuid: Buffer): void {
  const text = uuid.toString('hex');
  if (view.collection(namespace)?.uuid === text) return;
  const { database, collection } = splitNamespace(namespace);
  // The brand exists for the compiler only: any 16 bytes may be asked for.
  const actual = view.collectionByUuid(text as CollectionUuid);
  const parts = actual === undefined ? undefined : splitNamespace(actual.namespace);
  throw new CommandError(
    'CollectionUUIDMismatch',
    'Collection UUID does not match that specified',
    {
      fields: {
        db: database,
        collectionUUID: binaryValue(uuid, UUID_SUBTYPE),
        expectedCollection: collection,
        actualCollection: parts?.database === database ? stringValue(parts.collection) : NULL,
      },
    },
  );
}
