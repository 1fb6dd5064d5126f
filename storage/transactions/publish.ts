/**
 * Makes a commit's writes visible: the last part of the synchronous step, after the journal has taken them.
 *
 * Nothing here may fail or await. Recovery publishes replayed groups through the same function.
 */
import { uniteMultikeyPaths } from '../../bson/index.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import { invariant } from '../../common/assert.ts';
import type { CollectionState } from '../catalog/collection-state.ts';
import type { CommitNumber } from '../contract.ts';
import { activeGeneration, type StoreState } from '../views/store-state.ts';
import {
  sizeChangeOf,
  writeKeys,
  writeRecord,
  type KeysWrite,
  type MultikeyChange,
  type PendingWrite,
  type RecordWrite,
} from './pending-write.ts';

/** Takes a commit number, appends to the journal and publishes, in one synchronous step. @throws the journal's failure */
export function commitNow(store: StoreState, writes: readonly PendingWrite[]): CommitNumber {
  const operations = writes.flatMap(({ journal }) => journal ?? []);
  const commitNumber = store.journal.append(operations);
  publish(store, writes, commitNumber);
  return commitNumber;
}

export function publish(
  store: StoreState,
  writes: readonly PendingWrite[],
  commitNumber: CommitNumber,
): void {
  try {
    publishAll(store, writes, commitNumber);
  } catch (error) {
    // The journal has the commit, memory has a part of it: only a restart brings the two together again.
    invariant(false, `publish: ${String(error)}`);
  }
}

function publishAll(
  store: StoreState,
  writes: readonly PendingWrite[],
  commitNumber: CommitNumber,
): void {
  const { snapshots } = store;
  const generation = activeGeneration(store);
  store.lastCommitNumber = commitNumber;
  let records = 0;
  let bytes = 0;
  for (let index = 0; index < writes.length; index += 1) {
    const write = writes[index];
    store.changedCollections.add(write.state.ident);
    if (write.kind === 'catalog') {
      const version =
        write.knowsArrays === true
          ? write.version
          : keepMultikey(store, write.state.versions.latest, write.version);
      store.catalog.write(write.state, version, commitNumber, snapshots);
      continue;
    }
    if (write.kind === 'record') writeRecord(generation, write, commitNumber, snapshots);
    writeKeys(generation, write, commitNumber, snapshots);
    if (store.watchedKeys.size > 0) noteWatchedKeys(store, write);
    if (write.multikey.length > 0) widenMultikey(store, write.state, write.multikey, commitNumber);
    if (write.kind === 'keys') continue;
    const change = sizeChangeOf(write);
    records += change.records;
    bytes += change.bytes;
    // Neighbouring writes mostly go to one collection: its size is written once.
    const next = writes[index + 1];
    if (next?.kind === 'record' && next.state === write.state) continue;
    write.state.grow(commitNumber, { records, bytes }, snapshots);
    records = 0;
    bytes = 0;
  }
}

function noteWatchedKeys(store: StoreState, { keys }: RecordWrite | KeysWrite): void {
  for (const { index, stored, present } of keys) {
    if (present) store.watchedKeys.get(index)?.add(stored.key.toString('latin1'));
  }
}

/** A version that was drafted before others found arrays must not forget them. */
function keepMultikey(
  store: StoreState,
  latest: CollectionVersion | undefined,
  drafted: CollectionVersion | undefined,
): CollectionVersion | undefined {
  if (latest === undefined || drafted === undefined) return drafted;
  const known = latest.indexes
    .filter(({ multikey }) => multikey)
    .map(({ ident, multikeyPaths }) => ({ index: ident, paths: multikeyPaths }));
  return known.length === 0 ? drafted : withMultikey(store, drafted, known);
}

function widenMultikey(
  store: StoreState,
  state: CollectionState,
  changes: readonly MultikeyChange[],
  commitNumber: CommitNumber,
): void {
  const version = state.versions.latest;
  if (version === undefined) return;
  const widened = withMultikey(store, version, changes);
  if (widened !== version) {
    store.catalog.write(state, widened, commitNumber, store.snapshots);
  }
}

/** The version with more paths known to cross arrays; the same one when they were known. */
export function withMultikey(
  store: StoreState,
  version: CollectionVersion,
  changes: readonly MultikeyChange[],
): CollectionVersion {
  let changed = false;
  const indexes = version.indexes.map((index) => {
    const change = changes.find(({ index: ident }) => ident === index.ident);
    if (change === undefined) return index;
    const multikeyPaths = uniteMultikeyPaths(index.multikeyPaths, change.paths);
    if (multikeyPaths === index.multikeyPaths) return index;
    changed = true;
    return { ...index, multikey: true, multikeyPaths };
  });
  if (!changed) return version;
  return version.with({ indexes }, store.keyGenerators);
}
