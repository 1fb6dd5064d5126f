/**
 * Makes indexes anew while the store is in use: builds each beside itself, then lets the old ones go in one commit.
 *
 * Promises: until that commit readers use the old ones, and a crash leaves those; an index that somebody dropped or changed meanwhile stays
 * as they left it. The index on _id keeps its place before all others: with it they are all made anew.
 */
import type { Interruption } from '../../common/interruption.ts';
import type { CollectionState } from '../catalog/collection-state.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import { isIdIndex } from '../catalog/index-keys.ts';
import type { Ident, IndexDescription } from '../contract.ts';
import { newIndexes } from '../transactions/catalog-entries.ts';
import { commitNow } from '../transactions/publish.ts';
import type { StoreState } from '../views/store-state.ts';
import type { IndexBuilds } from './index-builds.ts';
import { indexWrite, withoutIndexes } from './published-indexes.ts';

/**
 * @returns names of the indexes that were made anew
 * @throws CommandError 11000 for a duplicate in a unique index; the interruption's reason; then all is as it was
 */
export async function rebuildIndexes(
  store: StoreState,
  builds: IndexBuilds,
  state: CollectionState,
  idents: ReadonlySet<Ident>,
  interruption: Interruption,
): Promise<readonly string[]> {
  const before = state.versions.latest;
  const old = before === undefined ? [] : chosenOf(before, idents);
  if (before === undefined || old.length === 0) return [];
  const specs = old.map(({ spec }) => spec);
  await builds.buildAgain(before.namespace, specs, interruption);
  // From here on synchronous: nobody sees two indexes of a name.
  const after = state.versions.latest;
  if (after === undefined) return [];
  const known = new Set(before.indexes.map(({ ident }) => ident));
  const unchanged = old.filter((index) => includes(after, index));
  const names = unchanged.map(({ name }) => name);
  const unwanted = after.indexes.filter(
    (index) =>
      !known.has(index.ident) &&
      old.some(({ name }) => name === index.name) &&
      !names.includes(index.name),
  );
  const gone = [...unchanged, ...unwanted];
  const left = withoutIndexes(store, after, gone);
  commitNow(store, [indexWrite(state, left, 'abortIndexBuild', newIndexes(gone))]);
  return names;
}

function chosenOf(
  { indexes }: CollectionVersion,
  idents: ReadonlySet<Ident>,
): readonly IndexDescription[] {
  const chosen = indexes.filter(({ ident }) => idents.has(ident));
  return chosen.some(isIdIndex) ? indexes.filter(({ ready }) => ready) : chosen;
}

function includes({ indexes }: CollectionVersion, index: IndexDescription): boolean {
  return indexes.some(({ ident, spec }) => ident === index.ident && spec.equals(index.spec));
}
