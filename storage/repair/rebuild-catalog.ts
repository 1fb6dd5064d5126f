/**
 * Reads the catalog back from the block store. What cannot be read there is taken from the old index store, where that can be read; a
 * collection whose description is lost altogether comes back under a name that says so.
 */
import { DocumentBuilder } from '../../bson/index.ts';
import { CorruptionError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';
import type { BlockStore } from '../blocks/contract.ts';
import {
  CATALOG_COLLECTION,
  catalogKey,
  decodeCatalogRecord,
  decodeStoreCounters,
  STORED_COUNTERS,
  type CatalogRecord,
  type StoreCounters,
} from '../catalog/catalog-record.ts';
import type { CollectionSize } from '../catalog/collection-state.ts';
import { describeIndex, ID_INDEX_SPEC } from '../catalog/index-spec.ts';
import { DEFAULT_PAGE_COMPRESSION, type CollectionUuid, type Ident } from '../contract.ts';
import type { ManifestCollection } from '../format/manifest.ts';
import type { IndexStore } from '../indexes/contract.ts';
import type { OnFinding } from './contract.ts';
import { recordsOf } from './records-of.ts';

export interface RebuiltCatalog {
  readonly records: readonly CatalogRecord[];
  /** Those whose description the block store does not have: it must be written there. */
  readonly orphans: readonly CatalogRecord[];
  readonly counters: StoreCounters;
}

export interface CatalogSources {
  readonly blocks: BlockStore;
  readonly indexes: IndexStore;
  readonly random: Random;
  /** The catalog record of a collection in the old index store, if that can tell. */
  readonly fromOldIndexStore: (key: Buffer) => Buffer | undefined;
  readonly onFinding: OnFinding;
}

/** @param sizes what was counted of each collection @param highestIdent of what the manifest knows */
export async function rebuildCatalog(
  sources: CatalogSources,
  collections: readonly ManifestCollection[],
  sizes: ReadonlyMap<number, CollectionSize>,
  highestIdent: number,
): Promise<RebuiltCatalog> {
  const stored = await readStored(sources);
  let identHighWater = Math.max(highestIdent + 1, stored.counters?.identHighWater ?? 0);
  for (const { description } of stored.documents.values()) {
    for (const { ident } of description.indexes)
      identHighWater = Math.max(identHighWater, ident + 1);
  }
  const nextIdent = (): Ident => {
    identHighWater += 1;
    return (identHighWater - 1) as Ident;
  };
  const records: CatalogRecord[] = [];
  const orphans: CatalogRecord[] = [];
  for (const { ident, recordIdHighWater } of collections) {
    if (ident === CATALOG_COLLECTION) continue;
    const size = sizes.get(ident) ?? EMPTY;
    const known = stored.documents.get(ident);
    const record = known ?? recover(sources, ident as Ident, size, nextIdent);
    if (record === undefined) continue;
    const highWater = Math.max(recordIdHighWater, record.recordIdHighWater);
    records.push({ ...record, size, recordIdHighWater: highWater });
    if (known === undefined) orphans.push({ ...record, size, recordIdHighWater: highWater });
  }
  const counters = { identHighWater, keyVersion: stored.counters?.keyVersion };
  return { records, orphans, counters };
}

const EMPTY: CollectionSize = { records: 0, bytes: 0 };

async function readStored(sources: CatalogSources): Promise<{
  readonly documents: ReadonlyMap<number, CatalogRecord>;
  readonly counters: StoreCounters | undefined;
}> {
  const documents = new Map<number, CatalogRecord>();
  let counters: StoreCounters | undefined;
  const report = (recordId: number, error: CorruptionError): void => {
    const message = `the description of the collection with ident ${recordId}: ${error.message}`;
    sources.onFinding({
      severity: 'error',
      kind: error.kind,
      part: 'catalog',
      file: FILE,
      message,
    });
  };
  for await (const { recordId, document } of recordsOf(sources, CATALOG_COLLECTION, report)) {
    try {
      if (recordId === STORED_COUNTERS) counters = decodeStoreCounters(document);
      else {
        const ident: number = recordId;
        const copy = Buffer.from(document);
        documents.set(ident, decodeCatalogRecord(catalogKey(ident as Ident), copy));
      }
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      report(recordId, error);
    }
  }
  return { documents, counters };
}

const FILE = 'blocks.flint';

function recover(
  sources: CatalogSources,
  ident: Ident,
  size: CollectionSize,
  nextIdent: () => Ident,
): CatalogRecord | undefined {
  const key = catalogKey(ident);
  const old = sources.fromOldIndexStore(key);
  if (old !== undefined) return decodeCatalogRecord(key, old);
  const namespace = `local.orphan.collection-${ident}`;
  const isWorthIt = size.records > 0;
  sources.onFinding({
    severity: 'error',
    kind: 'missing',
    part: 'catalog',
    file: FILE,
    ...(isWorthIt ? { namespace } : {}),
    message: isWorthIt
      ? `the description of the collection with ident ${ident} is lost: its ${size.records} documents are in ${namespace}`
      : `the description of an empty collection or view, ident ${ident}, is lost`,
  });
  if (!isWorthIt) return undefined;
  const idIndex = describeIndex(ID_INDEX_SPEC, { ident: nextIdent(), ready: true });
  return {
    description: {
      ident,
      uuid: sources.random.bytes(16).toString('hex') as CollectionUuid,
      namespace,
      kind: 'collection',
      options: new DocumentBuilder().finish(),
      compression: DEFAULT_PAGE_COMPRESSION,
      indexes: [idIndex],
    },
    size,
    recordIdHighWater: 0,
  };
}
