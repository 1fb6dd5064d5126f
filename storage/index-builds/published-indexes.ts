/**
 * Versions of a collection as index builds publish them.
 */
import { getField } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError } from '../../common/errors.ts';
import type { CollectionState } from '../catalog/collection-state.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import type { IndexDescription } from '../contract.ts';
import { encodeCatalogCommand, type NewIndex } from '../transactions/catalog-entries.ts';
import type { CatalogWrite } from '../transactions/pending-write.ts';
import type { StoreState } from '../views/store-state.ts';

/** The name that a specification gives its index. @throws CommandError CannotCreateIndex when it has none */
export function nameOf(spec: Buffer): string {
  const name = getField(spec, 'name');
  uassert(name?.typeName === 'string', 'CannotCreateIndex', 'Index specification has no name');
  return name.asString();
}

/** Names are unique in a collection. @throws CommandError IndexAlreadyExists */
export function refuseTaken(version: CollectionVersion, names: readonly string[]): void {
  const taken = version.indexes.find(({ name }) => names.includes(name));
  if (taken === undefined) return;
  throw new CommandError('IndexAlreadyExists', `Index already exists with name ${taken.name}`);
}

export function withIndexes(
  store: StoreState,
  version: CollectionVersion,
  indexes: readonly IndexDescription[],
): CollectionVersion {
  return version.with({ indexes }, store.keyGenerators);
}

export function withoutIndexes(
  store: StoreState,
  version: CollectionVersion,
  gone: readonly IndexDescription[],
): CollectionVersion {
  const idents = new Set(gone.map(({ ident }) => ident));
  return withIndexes(
    store,
    version,
    version.indexes.filter(({ ident }) => !idents.has(ident)),
  );
}

/** The write that publishes a collection's changed indexes. */
export function indexWrite(
  state: CollectionState,
  version: CollectionVersion,
  name: 'createIndexes' | 'startIndexBuild' | 'commitIndexBuild' | 'abortIndexBuild',
  indexes: readonly NewIndex[],
): CatalogWrite {
  return {
    kind: 'catalog',
    state,
    version,
    namespaces: [],
    journal: {
      op: 'c',
      ui: state.uuidBytes,
      o: encodeCatalogCommand(version.namespace, { name, indexes }),
    },
  };
}
