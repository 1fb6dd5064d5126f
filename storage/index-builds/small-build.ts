/**
 * Indexes over a small collection: scanned in one view, then published with their entries in one synchronous step,
 * provided that nobody wrote to the collection meanwhile.
 *
 * The journal holds the specifications only: replay scans the collection as it stood at the same commit.
 */
import { isMultikey } from '../../bson/index.ts';
import { describeIndex } from '../catalog/index-spec.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import { duplicateKeyError } from '../transactions/duplicate-key.ts';
import { newIndexes } from '../transactions/catalog-entries.ts';
import type { KeyChange, PendingWrite } from '../transactions/pending-write.ts';
import { commitNow } from '../transactions/publish.ts';
import { nextReadable, type OnDamage } from '../views/damaged-record.ts';
import type { SnapshotView } from '../views/snapshot-view.ts';
import type { StoreState } from '../views/store-state.ts';
import { indexWrite, withIndexes } from './published-indexes.ts';
import { ScannedKeys } from './scanned-keys.ts';

/**
 * @param onDamage hears of damaged records, which get no entries then; absent: they end the build
 * @returns false when the collection changed under the scan: then nothing was published @throws CommandError 11000
 */
export async function tryBuildAtOnce(
  store: StoreState,
  view: SnapshotView,
  collection: CollectionVersion,
  specs: readonly Buffer[],
  checkRunning: () => void,
  onDamage?: OnDamage,
): Promise<boolean> {
  const indexes = specs.map((spec) =>
    describeIndex(Buffer.from(spec), { ident: store.catalog.takeIdent(), ready: true }),
  );
  const scanned = new ScannedKeys(store, indexes);
  const seen = indexes.map(() => new Set<string>());
  const writes: PendingWrite[] = [];
  const state = store.catalog.stateByIdent(collection.ident);
  if (state === undefined) return false;
  const cursor = view.scanRecords(collection);
  while (await (onDamage === undefined ? cursor.next() : nextReadable(cursor, onDamage))) {
    const keys: KeyChange[] = [];
    const pending = scanned.prepare(cursor.document);
    if (pending !== undefined) await pending;
    scanned.keysOf(cursor.document, (position, stored, key) => {
      const index = indexes[position];
      const text = stored.key.toString('latin1');
      if (index.unique && seen[position].has(text)) {
        throw duplicateKeyError(collection.namespace, index, key);
      }
      if (index.unique) seen[position].add(text);
      keys.push({ index: index.ident, stored, present: true, replaces: false });
    });
    writes.push({
      kind: 'keys',
      state,
      recordId: cursor.recordId,
      keys,
      multikey: [],
      journal: undefined,
    });
  }
  checkRunning();
  // From here on synchronous: what the scan saw is what there is.
  const since = view.commitNumber;
  const changed = state.sizes.latestCommitNumber > since || state.schemaChangedAt > since;
  const version = state.versions.latest;
  if (changed || version === undefined) return false;
  const described = indexes.map((index, position) => {
    const multikeyPaths = scanned.multikeyPaths(position);
    return { ...index, multikeyPaths, multikey: isMultikey(multikeyPaths) };
  });
  const widened = withIndexes(store, version, [...version.indexes, ...described]);
  commitNow(store, [indexWrite(state, widened, 'createIndexes', newIndexes(described)), ...writes]);
  return true;
}
