/**
 * Looks for keys that several documents share, before an index becomes unique.
 *
 * The index takes no further duplicates by then (prepareUnique), so a scan in slices, each in the latest state, is enough.
 * Source: MongoDB's manual, "Convert an Existing Index to a Unique Index".
 */
import { deserialize } from 'bson';
import { ArrayBuilder, arrayValue, documentOf, getField } from '../../../bson/index.ts';
import { CommandError } from '../../../common/errors.ts';
import type {
  CollectionDescription,
  IndexDescription,
  ReadView,
  RecordId,
} from '../../../storage/index.ts';
import { requireCollection } from '../../catalog/namespace.ts';
import type { OperationContext } from '../../operation/operation-context.ts';
import { checkPrepared, type IndexChange, targetIndex } from './modify-index.ts';

/** So many entries are looked at in one go. */
const ENTRIES_PER_SLICE = 4096;
/** The error shows so many groups of documents at most. */
const MAX_VIOLATIONS = 1000;

/** @throws CommandError CannotConvertIndexToUnique, with the documents in each other's way */
export async function checkNoDuplicates(
  op: OperationContext,
  request: {
    readonly namespace: string;
    readonly index: IndexChange | undefined;
    readonly dryRun: boolean;
  },
): Promise<void> {
  if (request.index === undefined) return;
  const collection = requireCollection(op.renewView(), request.namespace);
  const index = targetIndex(collection, request.index);
  if (index.unique) return;
  if (!request.dryRun) checkPrepared(index);
  const groups = await duplicatesIn(op, index);
  if (groups.length === 0) return;
  const violations = await Promise.all(groups.map((group) => idsOf(op.view(), collection, group)));
  throw new CommandError(
    'CannotConvertIndexToUnique',
    'Cannot convert the index to unique. Please resolve conflicting documents before running collMod again.',
    { fields: { violations } },
  );
}

/** Records that have a key in common, one group per key. */
async function duplicatesIn(op: OperationContext, index: IndexDescription): Promise<RecordId[][]> {
  const groups: RecordId[][] = [];
  const cursor = op.view().scanIndex(index, {}, 1);
  let previous: { readonly key: Buffer; readonly records: RecordId[] } | undefined;
  try {
    for (let seen = 1; cursor.next(); seen += 1) {
      const { recordId } = cursor;
      if (previous?.key.equals(cursor.key) === true) {
        if (!previous.records.includes(recordId)) previous.records.push(recordId);
        if (previous.records.length === 2) groups.push(previous.records);
      } else {
        if (groups.length >= MAX_VIOLATIONS) return groups;
        previous = { key: Buffer.from(cursor.key), records: [recordId] };
      }
      if (seen % ENTRIES_PER_SLICE !== 0) continue;
      cursor.detach();
      await op.yield();
      cursor.attach(op.renewView());
    }
  } finally {
    cursor.close();
  }
  return groups;
}

async function idsOf(
  view: ReadView,
  collection: CollectionDescription,
  records: readonly RecordId[],
): Promise<unknown> {
  const ids = new ArrayBuilder();
  for (const recordId of records) {
    const read = view.record(collection, recordId);
    const document = read instanceof Promise ? await read : read;
    const id = document === undefined ? undefined : getField(document, '_id');
    if (id !== undefined) ids.push(id);
  }
  return deserialize(documentOf({ ids: arrayValue(ids.finish()) }), { promoteValues: false });
}
