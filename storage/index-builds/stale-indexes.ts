/**
 * Indexes whose keys were made under another version of what they depend on: built again when the store is opened.
 *
 * Promises: nobody sees the old keys under the new version. New indexes are built beside the old ones, which then go in one commit; a crash
 * in between leaves both, and the old version in the store's record, so that the next start begins again. A damaged record keeps nobody from
 * starting: it gets no entries, which is logged.
 */
import { CommandError } from '../../common/errors.ts';
import { uninterruptible } from '../../common/interruption.ts';
import type { Log } from '../../common/log.ts';
import type { CollectionState } from '../catalog/collection-state.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import { isIdIndex, type VersionedKeys } from '../catalog/index-keys.ts';
import type { IndexDescription } from '../contract.ts';
import { newIndexes } from '../transactions/catalog-entries.ts';
import { commitNow } from '../transactions/publish.ts';
import type { StoreState } from '../views/store-state.ts';
import type { IndexBuilds } from './index-builds.ts';
import { indexWrite, withoutIndexes } from './published-indexes.ts';

export async function rebuildStale(
  store: StoreState,
  builds: IndexBuilds,
  { version, concerns }: VersionedKeys,
  log: Log,
): Promise<void> {
  if (store.keyVersion !== undefined && store.keyVersion !== version) {
    for (const state of Array.from(store.catalog.states())) {
      const current = state.versions.latest;
      if (current === undefined) continue;
      const stale = staleOf(current, concerns);
      if (stale.length > 0) await rebuild(store, builds, state, stale, log);
    }
  }
  store.keyVersion = version;
}

/** The index on _id stands first: when it is stale, all are built again in their order. */
function staleOf(
  version: CollectionVersion,
  concerns: (index: IndexDescription) => boolean,
): readonly IndexDescription[] {
  const stale = version.indexes.filter(concerns);
  return stale.some(isIdIndex) ? version.indexes : stale;
}

async function rebuild(
  store: StoreState,
  builds: IndexBuilds,
  state: CollectionState,
  stale: readonly IndexDescription[],
  log: Log,
): Promise<void> {
  const namespace = state.versions.latest?.namespace ?? '';
  // After a crash in between there may be two of a name.
  const specs = new Map(stale.map(({ name, spec }) => [name, spec]));
  for (const [name, spec] of specs) {
    try {
      await builds.buildAgain(namespace, [spec], uninterruptible, (damage, recordId) => {
        log.write({
          severity: 'E',
          component: 'INDEX',
          id: 5100302,
          message: 'An index was built again without a damaged record; run validate',
          attributes: { namespace, index: name, recordId, error: damage.message },
        });
      });
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      log.write({
        severity: 'E',
        component: 'INDEX',
        id: 5100300,
        message: 'An index could not be built again for a new version of its keys; it is dropped',
        attributes: { namespace, index: name, error: error.message },
      });
    }
  }
  const built = state.versions.latest;
  if (built === undefined) return;
  const left = withoutIndexes(store, built, stale);
  commitNow(store, [indexWrite(state, left, 'abortIndexBuild', newIndexes(stale))]);
  log.write({
    severity: 'I',
    component: 'INDEX',
    id: 5100301,
    message: 'Indexes were built again for a new version of their keys',
    attributes: { namespace, indexes: [...specs.keys()] },
  });
}
