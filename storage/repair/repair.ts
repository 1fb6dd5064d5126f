/**
 * flint repair: makes the index store anew out of block store, manifest and journal, and brings the store to a state that opens.
 *
 * The order of its steps, so that it may be ended at any instant and begun again:
 *   1. read everything, and choose the checkpoint to go on from;
 *   2. mark the store as being repaired: nobody else opens it from here on;
 *   3. make the new index store beside the old one: record map, catalog, all indexes;
 *   4. take a checkpoint in the block store, with what lives counted again: copy on write, as any other;
 *   5. put the new index store into the old one's place, in one step, and record the checkpoint;
 *   6. replay the journal, close cleanly, remove the mark.
 * Never: overwrites a damaged page, or changes a document. What it cannot bring back it lists.
 */
import { silentLog, type Log } from '../../common/log.ts';
import type { Clock } from '../../common/clock.ts';
import type { CorruptionError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';
import { openBlockStoreAt } from '../blocks/block-store.ts';
import type { BlockStore } from '../blocks/contract.ts';
import {
  CATALOG_COLLECTION,
  catalogKey,
  encodeCatalogRecord,
  encodeStoreRecord,
  STORE_RECORD_KEY,
} from '../catalog/catalog-record.ts';
import type { KeyGeneratorSource, VersionedKeys } from '../catalog/index-keys.ts';
import type { CollectionSize } from '../catalog/collection-state.ts';
import { recordIdOf } from '../checkpoint/catalog-fold.ts';
import { DEFAULT_PAGE_COMPRESSION, type CommitNumber, type Ident } from '../contract.ts';
import { openEngine } from '../engine.ts';
import type { Manifest } from '../format/manifest.ts';
import { FIRST_TREE_IDENT } from '../format/tree-key.ts';
import { IndexChanges } from '../indexes/changes.ts';
import type { IndexStore } from '../indexes/contract.ts';
import { openDirectory, type StoreFiles } from '../recovery/store-files.ts';
import { collectionsOf, collectPages, LiveCount, type PageCollection } from './collect-pages.ts';
import type { Finding, OnProgress } from './contract.ts';
import { findingOf } from './findings.ts';
import { rebuildCatalog, type RebuiltCatalog } from './rebuild-catalog.ts';
import { rebuildIndexes } from './rebuild-indexes.ts';
import { RecordMapRebuild } from './record-map-rebuild.ts';
import { namedFindings } from './records-on-pages.ts';
import { surveyStore, type Survey } from './survey.ts';

export interface RepairOptions {
  /** An existing directory; or other places for the parts. */
  readonly dbpath?: string;
  readonly files?: StoreFiles;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  readonly keyGenerators: KeyGeneratorSource;
  readonly versionedKeys?: VersionedKeys;
  /** Of the page cache, bytes. Default 64 MiB. */
  readonly cacheBytes?: number;
  readonly onProgress?: OnProgress;
}

export interface RepairedCollection {
  readonly namespace: string;
  readonly records: number;
  readonly bytes: number;
  readonly indexes: number;
}

export interface RepairReport {
  /** The checkpoint that the store was made anew from, and the last commit in it; the journal came on top. */
  readonly checkpoint: number;
  readonly commitNumber: number;
  readonly pages: number;
  readonly findings: readonly Finding[];
  /** Those of which not everything could be brought back. */
  readonly lost: readonly Finding[];
  /** Where the journal was kept as it had been, when not all of it could be used. */
  readonly journalCopy: string | undefined;
  readonly collections: readonly RepairedCollection[];
}

const DEFAULT_CACHE_BYTES = 64 * 1024 * 1024;
/** No block store agrees with an index store that bears it while it is made. */
const UNFINISHED = { checkpoint: 0, applied: 0 as CommitNumber };

/** @throws CommandError DBPathInUse; CorruptionError when there is nothing to go on from; DeviceError, such as a full disk */
export async function repairStore(options: RepairOptions): Promise<RepairReport> {
  const files = options.files ?? (await openDirectory(options.dbpath ?? '.', options.clock));
  try {
    return await new Repair(files, options).run();
  } finally {
    await files.close();
  }
}

class Repair {
  private readonly files: StoreFiles;
  private readonly options: RepairOptions;
  private readonly findings: Finding[] = [];
  private readonly onProgress: OnProgress;

  constructor(files: StoreFiles, options: RepairOptions) {
    this.files = files;
    this.options = options;
    this.onProgress = options.onProgress ?? (() => {});
  }

  async run(): Promise<RepairReport> {
    const { files, options } = this;
    const survey = await surveyStore({
      files,
      clock: options.clock,
      onFinding: this.note,
      onProgress: this.onProgress,
    });
    const { base } = survey;
    await files.repair.begin();
    const pages = await this.rebuild(survey);
    const { collections, journalCopy } = await this.replay();
    await files.repair.end();
    return {
      checkpoint: base.checkpoint,
      commitNumber: base.commitNumber,
      pages,
      findings: this.findings,
      lost: this.findings.filter(isLoss),
      journalCopy,
      collections,
    };
  }

  private readonly note = (finding: Finding): void => {
    this.findings.push(finding);
  };

  /** Steps 3 to 5. @returns how many pages were read */
  private async rebuild(survey: Survey): Promise<number> {
    const storeId = Buffer.from(survey.reading.superblock.storeId, 'hex');
    const manifest = survey.manifest ?? emptyManifest(survey);
    const indexes = await this.files.repair.createIndexStore(storeId);
    let pages: PageCollection;
    let counted: Counted;
    try {
      const rebuild = new RecordMapRebuild(indexes, UNFINISHED);
      try {
        pages = await this.collect(survey, manifest, rebuild);
      } finally {
        await survey.device.close();
      }
      counted = await count(survey, manifest, rebuild);
      const damagedExtents = await this.nameCutOff(survey, manifest, pages, counted.live);
      this.nameRevived(survey, counted.live);
      const blocks = await openBlockStoreAt(
        {
          volume: this.files.blockVolume,
          clock: this.options.clock,
          cacheBytes: this.options.cacheBytes ?? DEFAULT_CACHE_BYTES,
        },
        { ...survey, manifest: counted.live.correctedManifest(damagedExtents) },
      );
      try {
        await this.fill(survey, manifest, { indexes, blocks, counted, pages });
      } finally {
        await blocks.close();
      }
    } finally {
      await indexes.close();
    }
    return pages.pages;
  }

  private async collect(
    survey: Survey,
    manifest: Manifest,
    rebuild: RecordMapRebuild,
  ): Promise<PageCollection> {
    const { queue, layout, reading } = survey;
    const { extents } = manifest;
    const source = { queue, layout, storeId: reading.superblock.storeId, extents };
    const damages: Finding[] = [];
    const report = {
      onFinding: (each: Finding) => damages.push(each),
      onProgress: this.onProgress,
    };
    const collected = await collectPages(source, manifest, rebuild, report);
    for (const each of await this.named(survey, manifest, damages)) this.note(each);
    return collected;
  }

  /** With the records that the old index store knows there, if it can still be read. */
  private async named(
    survey: Survey,
    manifest: Manifest,
    damages: readonly Finding[],
  ): Promise<readonly Finding[]> {
    if (damages.length === 0) return damages;
    return this.withOldIndexStore(survey, damages, (snapshot) =>
      namedFindings(damages, snapshot, collectionsOf(manifest), survey.layout),
    );
  }

  private async withOldIndexStore<T>(
    { indexStore, reading, base }: Survey,
    otherwise: T,
    use: (snapshot: ReturnType<IndexStore['beginRead']>) => T,
  ): Promise<T> {
    // One with damaged entries, or of another checkpoint, is not believed.
    if (indexStore === undefined || indexStore.damages.length > 0) return otherwise;
    if (indexStore.checkpoint !== base.checkpoint) return otherwise;
    const storeId = Buffer.from(reading.superblock.storeId, 'hex');
    const store = await this.files.openIndexStore({ storeId, create: false });
    const snapshot = store.beginRead();
    try {
      return use(snapshot);
    } finally {
      snapshot.release();
      await store.close();
    }
  }

  /** @returns all extents with damage in them */
  private async nameCutOff(
    survey: Survey,
    manifest: Manifest,
    { cutOff, damagedExtents }: PageCollection,
    live: LiveCount,
  ): Promise<ReadonlySet<number>> {
    const damaged = cutOff.filter(({ extent }) => live.lacksAny(extent));
    const findings = damaged.map(({ finding }) => finding);
    for (const each of await this.named(survey, manifest, findings)) this.note(each);
    return new Set([...damagedExtents, ...damaged.map(({ extent }) => extent)]);
  }

  private nameRevived({ layout, queue }: Survey, live: LiveCount): void {
    for (const extent of live.revived) {
      this.note({
        severity: 'error',
        kind: 'lostWrite',
        part: 'page',
        file: queue.device.name,
        offset: extent * layout.extentBytes,
        length: layout.extentBytes,
        message:
          'documents in this extent are older versions: the pages that replaced or deleted them are damaged',
      });
    }
  }

  private async fill(survey: Survey, manifest: Manifest, work: Work): Promise<void> {
    const { indexes, blocks } = work;
    const { base } = survey;
    const { versionedKeys, keyGenerators, clock } = this.options;
    await blocks.recordBase();
    const catalog = await this.readCatalog(survey, manifest, work);
    const changes = new IndexChanges();
    const parts = { blocks, indexes, clock, stamp: UNFINISHED, keyGenerators };
    for (const [done, record] of catalog.records.entries()) {
      this.onProgress({ step: 'indexes', done, total: catalog.records.length });
      const { description } = record;
      const rebuilt = await rebuildIndexes(parts, description, (recordId, error) =>
        this.noteUnreadable(description.namespace, recordId, error),
      );
      const whole = { ...record, description: { ...description, indexes: rebuilt } };
      changes.put(catalogKey(description.ident), encodeCatalogRecord(whole));
    }
    const writer = await blocks.beginCheckpoint(base.commitNumber, {
      compressionOf: () => DEFAULT_PAGE_COMPRESSION,
      placed: (collection, recordId, place) => changes.setRecord(collection, recordId, place),
    });
    for (const orphan of catalog.orphans) {
      const record = encodeCatalogRecord(orphan);
      const recordId = recordIdOf(orphan.description.ident);
      writer.append(CATALOG_COLLECTION, recordId, record, base.commitNumber);
    }
    const repaired = await writer.finish();
    const { identHighWater } = catalog.counters;
    const keyVersion = versionedKeys?.version ?? catalog.counters.keyVersion;
    changes.put(
      STORE_RECORD_KEY,
      encodeStoreRecord({ base: repaired, identHighWater, keyVersion }),
    );
    const { checkpoint } = repaired;
    await indexes.commit(changes, { checkpoint, applied: base.commitNumber });
    await indexes.close();
    await this.files.repair.replaceIndexStore();
    await blocks.recordCheckpoint(repaired);
  }

  private async readCatalog(
    survey: Survey,
    manifest: Manifest,
    { blocks, indexes, counted }: Work,
  ): Promise<RebuiltCatalog> {
    const { collections } = manifest;
    const old = await this.withOldIndexStore(
      survey,
      new Map<string, Buffer>(),
      (snapshot) =>
        new Map(
          collections.flatMap(({ ident }): [string, Buffer][] => {
            const key = catalogKey(ident as Ident);
            const record = snapshot.get(key);
            return record === undefined ? [] : [[key.toString('hex'), record]];
          }),
        ),
    );
    const sources = {
      blocks,
      indexes,
      random: this.options.random,
      fromOldIndexStore: (key: Buffer) => old.get(key.toString('hex')),
      onFinding: this.note,
    };
    return rebuildCatalog(sources, collections, counted.sizes, highestIdent(manifest, counted));
  }

  private noteUnreadable(namespace: string, recordId: number, error: CorruptionError): void {
    const where = { file: 'blocks.flint', namespace, recordIds: [recordId] };
    this.note(findingOf(error, where));
  }

  /** Step 6: the ordinary start, which passes over what the journal has lost. */
  private async replay(): Promise<Pick<RepairReport, 'collections' | 'journalCopy'>> {
    const { files, options } = this;
    const losses: CorruptionError[] = [];
    const foreignFiles: string[] = [];
    this.onProgress({ step: 'journal', done: 0, total: 0 });
    const engine = await openEngine({
      // They stay open, and locked, until the repair has ended.
      files: { ...files, close: () => Promise.resolve() },
      clock: options.clock,
      random: options.random,
      log: options.log ?? silentLog,
      cacheBytes: options.cacheBytes ?? DEFAULT_CACHE_BYTES,
      checkpointIntervalMs: 0,
      keyGenerators: options.keyGenerators,
      ...(options.versionedKeys === undefined ? {} : { versionedKeys: options.versionedKeys }),
      salvage(loss, foreignFile) {
        losses.push(loss);
        if (foreignFile !== undefined) foreignFiles.push(foreignFile);
      },
    });
    const view = engine.snapshot();
    const collections = view.collections().map((collection) => ({
      namespace: collection.namespace,
      records: view.recordCount(collection),
      bytes: view.dataBytes(collection),
      indexes: collection.indexes.length,
    }));
    view.close();
    // Before a later start makes use of its files again.
    const journalCopy = losses.length === 0 ? undefined : await files.repair.copyJournal();
    await engine.checkpoint();
    await engine.close();
    for (const name of foreignFiles) await files.journalVolume.remove(name);
    for (const loss of losses) this.note(findingOf(loss, {}));
    return { collections, journalCopy };
  }
}

/** Index store, superblocks and manifests are made anew; what a page or the journal has lost is lost. */
function isLoss({ part, severity }: Finding): boolean {
  return severity === 'error' && !MADE_ANEW.has(part);
}

const MADE_ANEW: ReadonlySet<string> = new Set([
  'index store',
  'index store entry',
  'superblock',
  'manifest',
  'block store',
]);

interface Counted {
  readonly live: LiveCount;
  readonly sizes: ReadonlyMap<number, CollectionSize>;
}

interface Work {
  readonly indexes: IndexStore;
  readonly blocks: BlockStore;
  readonly counted: Counted;
  readonly pages: PageCollection;
}

async function count(
  { layout }: Survey,
  manifest: Manifest,
  rebuild: RecordMapRebuild,
): Promise<Counted> {
  const live = new LiveCount(layout, manifest);
  const sizes = new Map<number, CollectionSize>();
  for (const collection of collectionsOf(manifest)) {
    let records = 0;
    let bytes = 0;
    await rebuild.sweep(collection, (_recordId, place) => {
      live.add(collection, place);
      records += 1;
      bytes += place.bytes;
    });
    sizes.set(collection, { records, bytes });
  }
  return { live, sizes };
}

function highestIdent({ collections, extents }: Manifest, { sizes }: Counted): number {
  const idents = [
    ...collections.map(({ ident }) => ident),
    ...extents.map(({ owner }) => owner),
    ...sizes.keys(),
  ];
  return idents.reduce((highest, ident) => Math.max(highest, ident), FIRST_TREE_IDENT);
}

function emptyManifest({ layout }: Survey): Manifest {
  const { extentSectors, pageSectors } = layout;
  return { checkpoint: 0, extentSectors, pageSectors, collections: [], extents: [] };
}
