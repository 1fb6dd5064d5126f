/**
 * The scrub: reads everything that the base has on the disk, at a bounded rate, while the server runs.
 *
 * Owns: one pass, its position and its findings. It reads every page that a record map names past all caches, compares each document's
 * keys with the entries of all indexes, and each entry with its document. All of it is of one base at a time: a slice pins the base that
 * is current, for what its rate reads in a second or two, and lets go; so no space waits for it. What was not on the disk yet is the next
 * pass's.
 * Never: changes anything.
 */
import type { Clock } from '../../common/clock.ts';
import { CorruptionError, DeviceError } from '../../common/errors.ts';
import type { BlockStore } from '../blocks/contract.ts';
import type { Place } from '../blocks/place.ts';
import { CATALOG_RANGE, catalogKey, decodeCatalogRecord } from '../catalog/catalog-record.ts';
import { CollectionVersion } from '../catalog/collection-version.ts';
import {
  prepareKeys,
  storedKeyOf,
  type IndexWriter,
  type KeyGeneratorSource,
} from '../catalog/index-keys.ts';
import type {
  Ident,
  MaybePromise,
  RecordId,
  ScrubFinding,
  ScrubOptions,
  ScrubResult,
} from '../contract.ts';
import {
  blockOfRecordMapKey,
  presentRecords,
  readRecordPlace,
  recordBlockOf,
  recordEntryOffset,
  recordMapKey,
  RECORDS_PER_BLOCK,
} from '../format/record-map.ts';
import {
  indexEntryKey,
  recordIdOfEntry,
  storedKeyOfEntry,
  treeEnd,
  treePrefix,
} from '../format/tree-key.ts';
import type { BaseEpoch } from '../views/base-epoch.ts';
import { ScrubPace } from './scrub-pace.ts';

/** Blocks of a record map per slice: at most 512 records. */
const SLICE_BLOCKS = 16;
const SLICE_ENTRIES = 256;
/** Damaged entries in a row after which a tree is given up. */
const MOST_IN_A_ROW = 100;
/** About what an index entry takes, bytes. */
const ENTRY_BYTES = 32;
const PAGES_AT_ONCE = 4;

export interface ScrubParts {
  readonly blocks: BlockStore;
  readonly clock: Clock;
  readonly keyGenerators: KeyGeneratorSource;
  /** The base that is current now. */
  readonly currentBase: () => BaseEpoch;
}

export async function scrub(parts: ScrubParts, options: ScrubOptions): Promise<ScrubResult> {
  return new Scrub(parts, options).run();
}

interface EntryToScrub {
  /** Of the index store: with ident and record id. */
  readonly key: Buffer;
  readonly recordId: RecordId;
}

interface RecordToScrub {
  readonly recordId: RecordId;
  readonly place: Place;
}

class Scrub {
  private readonly parts: ScrubParts;
  private readonly options: ScrubOptions;
  private readonly pace: ScrubPace;
  private readonly result = { pages: 0, bytes: 0, records: 0, entries: 0, errors: 0 };
  /** Of all collections, as the catalog counts them: for progress. */
  private total = 0;
  private namespace = '';

  constructor(parts: ScrubParts, options: ScrubOptions) {
    this.parts = parts;
    this.options = options;
    this.pace = new ScrubPace(parts.clock, options);
  }

  async run(): Promise<ScrubResult> {
    const collections = this.withBase((base) => this.collectionsOf(base));
    for (const ident of collections) {
      await this.scrubRecords(ident);
      for (const index of this.withBase((base) => this.versionOf(base, ident)?.indexes ?? [])) {
        await this.scrubIndex(ident, index.ident);
      }
    }
    return this.result;
  }

  private collectionsOf(base: BaseEpoch): Ident[] {
    const idents: Ident[] = [];
    const cursor = base.scan(CATALOG_RANGE);
    for (let more = true, failures = 0; more && failures < MOST_IN_A_ROW;) {
      try {
        more = cursor.next();
        if (!more) break;
        const { description, size } = decodeCatalogRecord(cursor.key, cursor.value);
        if (description.kind !== 'collection') continue;
        idents.push(description.ident);
        this.total += size.records * (1 + description.indexes.length);
      } catch (error) {
        failures += 1;
        this.report(error, { part: 'catalog' });
      }
    }
    cursor.close();
    return idents;
  }

  /** undefined when the collection is gone, or its catalog record is damaged (which was reported). */
  private versionOf(base: BaseEpoch, ident: Ident): CollectionVersion | undefined {
    const key = catalogKey(ident);
    try {
      const record = base.get(key);
      if (record === undefined) return undefined;
      const { description } = decodeCatalogRecord(key, record);
      this.namespace = description.namespace;
      return new CollectionVersion(description, this.parts.keyGenerators);
    } catch (error) {
      this.report(error, { part: 'catalog' });
      return undefined;
    }
  }

  private async scrubRecords(ident: Ident): Promise<void> {
    let next: RecordId | undefined = 0 as RecordId;
    while (next !== undefined) {
      const first: RecordId = next;
      next = await this.withBaseAsync((base) => this.recordsSlice(base, ident, first));
      await this.turn();
    }
  }

  /** @returns the record to go on at; undefined at the end */
  private async recordsSlice(
    base: BaseEpoch,
    ident: Ident,
    first: RecordId,
  ): Promise<RecordId | undefined> {
    const version = this.versionOf(base, ident);
    if (version === undefined) return undefined;
    const records: RecordToScrub[] = [];
    const next = this.readBlocks(base, ident, first, records);
    const damaged = await this.readPages(records);
    const writers = version.writers.filter(({ index }) => index.ready);
    for (const { recordId, place } of records) {
      this.result.records += 1;
      if (damaged.has(place.sector)) continue;
      await this.checkRecord(base, writers, recordId, place);
    }
    return next;
  }

  private readBlocks(
    base: BaseEpoch,
    ident: Ident,
    first: RecordId,
    records: RecordToScrub[],
  ): RecordId | undefined {
    const lower = recordMapKey(ident, recordBlockOf(first));
    const cursor = base.scan({ lower, upper: treeEnd(ident) });
    const bound = this.sliceBound();
    let next: RecordId | undefined;
    try {
      for (let blocks = 0, failures = 0; failures < MOST_IN_A_ROW;) {
        try {
          if (!cursor.next()) break;
          const block = blockOfRecordMapKey(cursor.key);
          if (blocks === SLICE_BLOCKS) {
            next = (block * RECORDS_PER_BLOCK) as RecordId;
            break;
          }
          blocks += 1;
          next = addRecords(cursor.value, block, { first, bound, records });
          if (next !== undefined) break;
        } catch (error) {
          failures += 1;
          this.report(error, { part: 'record map' });
        }
      }
    } finally {
      cursor.close();
    }
    return next;
  }

  /** Reads each page of these records once, from the disk. @returns first sectors of those that are damaged */
  private async readPages(records: readonly RecordToScrub[]): Promise<ReadonlySet<number>> {
    const pages = new Map<number, RecordToScrub[]>();
    for (const record of records) {
      const sharing = pages.get(record.place.sector);
      if (sharing === undefined) pages.set(record.place.sector, [record]);
      else sharing.push(record);
    }
    const damaged = new Set<number>();
    const sectors = [...pages.keys()].sort((a, b) => a - b);
    for (let at = 0; at < sectors.length; at += PAGES_AT_ONCE) {
      const some = sectors.slice(at, at + PAGES_AT_ONCE);
      await Promise.all(
        some.map(async (sector) => {
          const sharing = pages.get(sector) ?? [];
          try {
            this.spend(await this.parts.blocks.verify(sharing[0].place));
          } catch (error) {
            damaged.add(sector);
            this.report(error, {
              part: 'page',
              recordIds: sharing.map(({ recordId }) => recordId),
            });
          }
          this.result.pages += 1;
        }),
      );
      await this.wait();
    }
    return damaged;
  }

  /** That every entry which the document calls for is there. */
  private async checkRecord(
    base: BaseEpoch,
    writers: readonly IndexWriter[],
    recordId: RecordId,
    place: Place,
  ): Promise<void> {
    try {
      const document = await this.recordAt(place, recordId);
      await prepareKeys(writers, document);
      for (const { index, generator } of writers) {
        for (const encoded of generator.keysOf(document).keys) {
          const { key } = storedKeyOf(encoded);
          if (base.get(indexEntryKey(index.ident, key, recordId)) !== undefined) continue;
          const message = `index ${index.name}: the entry of record ${recordId} is missing: ${key.toString('hex')}`;
          this.note({ part: 'index', recordIds: [recordId], message });
        }
      }
    } catch (error) {
      this.report(error, { part: 'record', recordIds: [recordId] });
    }
  }

  /** Through the cache; what it had to read from the disk for it counts. */
  private recordAt(place: Place, recordId: RecordId): MaybePromise<Buffer> {
    const { blocks } = this.parts;
    const before = blocks.pagesRead;
    const reading = blocks.record(place, recordId);
    if (reading instanceof Promise || blocks.pagesRead !== before) {
      this.spend(place.sectors * blocks.superblock.sectorBytes);
    }
    return reading;
  }

  private async scrubIndex(collection: Ident, index: Ident): Promise<void> {
    let from: Buffer | undefined = treePrefix(index);
    while (from !== undefined) {
      const start: Buffer = from;
      from = await this.withBaseAsync((base) => this.entriesSlice(base, collection, index, start));
      await this.turn();
    }
  }

  /** @returns the key to go on behind; undefined at the end */
  private async entriesSlice(
    base: BaseEpoch,
    collection: Ident,
    index: Ident,
    from: Buffer,
  ): Promise<Buffer | undefined> {
    const version = this.versionOf(base, collection);
    const writer = version?.writers.find((each) => each.index.ident === index);
    if (writer === undefined || !writer.index.ready) return undefined;
    const { keys, last } = this.readEntries(base, index, from);
    const found = keys.map((key) => ({ key, recordId: recordIdOfEntry(key) as RecordId }));
    // Entries of one page together: it is read once.
    const placed: (EntryToScrub & { readonly place: Place })[] = [];
    const bound = this.sliceBound();
    let next = last;
    let before: Buffer | undefined;
    for (const { key, recordId } of found) {
      const place = this.placeOf(base, collection, recordId);
      if (place !== undefined && place !== 'unknown' && !bound.admits(place)) {
        next = before;
        break;
      }
      before = key;
      this.result.entries += 1;
      this.spend(ENTRY_BYTES + key.length);
      if (place === undefined) this.noteSurplus(writer, recordId, key);
      else if (place !== 'unknown') placed.push({ key, recordId, place });
    }
    placed.sort((a, b) => a.place.sector - b.place.sector);
    for (const { key, recordId, place } of placed) {
      await this.checkEntry(writer, key, recordId, place);
      await this.wait();
    }
    return next;
  }

  private readEntries(
    base: BaseEpoch,
    index: Ident,
    from: Buffer,
  ): { readonly keys: Buffer[]; readonly last: Buffer | undefined } {
    const cursor = base.scan({ lower: from, lowerInclusive: false, upper: treeEnd(index) });
    const keys: Buffer[] = [];
    let failures = 0;
    try {
      while (keys.length < SLICE_ENTRIES) {
        try {
          if (!cursor.next()) return { keys, last: undefined };
          keys.push(cursor.key);
        } catch (error) {
          this.report(error, { part: 'index' });
          failures += 1;
          if (failures >= MOST_IN_A_ROW) return { keys, last: undefined };
        }
      }
    } finally {
      cursor.close();
    }
    return { keys, last: keys.at(-1) };
  }

  private placeOf(
    base: BaseEpoch,
    collection: Ident,
    recordId: RecordId,
  ): Place | undefined | 'unknown' {
    try {
      return base.place(collection, recordId);
    } catch (error) {
      this.report(error, { part: 'record map', recordIds: [recordId] });
      return 'unknown';
    }
  }

  private async checkEntry(
    writer: IndexWriter,
    entryKey: Buffer,
    recordId: RecordId,
    place: Place,
  ): Promise<void> {
    try {
      const document = await this.recordAt(place, recordId);
      await prepareKeys([writer], document);
      const key = storedKeyOfEntry(entryKey);
      const { keys } = writer.generator.keysOf(document);
      if (keys.some((each) => storedKeyOf(each).key.equals(key))) return;
      this.noteSurplus(writer, recordId, entryKey);
    } catch (error) {
      // A damaged page was reported with its records.
      if (!isDamage(error)) throw error;
    }
  }

  private noteSurplus({ index }: IndexWriter, recordId: RecordId, entryKey: Buffer): void {
    const key = storedKeyOfEntry(entryKey).toString('hex');
    const message = `index ${index.name}: an entry of record ${recordId} that it should not have: ${key}`;
    this.note({ part: 'index', recordIds: [recordId], message });
  }

  /** @throws what is no damage */
  private report(error: unknown, where: Pick<ScrubFinding, 'part' | 'recordIds'>): void {
    if (!isDamage(error)) throw error;
    this.note({ ...where, message: error.message });
  }

  private note(finding: Omit<ScrubFinding, 'namespace'>): void {
    this.result.errors += 1;
    const { namespace } = this;
    this.options.onFinding({ ...finding, namespace });
  }

  private sliceBound(): SliceBound {
    const { blocks } = this.parts;
    return new SliceBound(blocks.superblock.sectorBytes, this.options.bytesPerSecond());
  }

  private spend(bytes: number): void {
    this.result.bytes += bytes;
    this.pace.spend(bytes);
  }

  private async wait(): Promise<void> {
    const waiting = this.pace.wait();
    if (waiting !== undefined) await waiting;
    this.options.interruption.throwIfInterrupted();
  }

  /** Between two slices. */
  private async turn(): Promise<void> {
    await this.wait();
    await new Promise((resolve) => setImmediate(resolve));
    const { records, entries } = this.result;
    const done = records + entries;
    const { result, namespace } = this;
    this.options.onProgress({ ...result, namespace, done, total: Math.max(done, this.total) });
  }

  private withBase<T>(use: (base: BaseEpoch) => T): T {
    const base = this.parts.currentBase();
    base.pin();
    try {
      return use(base);
    } finally {
      base.unpin();
    }
  }

  private async withBaseAsync<T>(use: (base: BaseEpoch) => Promise<T>): Promise<T> {
    const base = this.parts.currentBase();
    base.pin();
    try {
      return await use(base);
    } finally {
      base.unpin();
    }
  }
}

function isDamage(error: unknown): error is CorruptionError | DeviceError {
  if (error instanceof DeviceError) return error.errno === 'EIO';
  return error instanceof CorruptionError;
}

interface SliceRecords {
  /** Those before were in the slice before. */
  readonly first: RecordId;
  readonly bound: SliceBound;
  readonly records: RecordToScrub[];
}

/** @returns the first record of the block that the slice has no room for */
function addRecords(
  block: Buffer,
  number: number,
  { first, bound, records }: SliceRecords,
): RecordId | undefined {
  const present = presentRecords(block);
  for (let slot = 0; slot < RECORDS_PER_BLOCK; slot += 1) {
    const recordId = (number * RECORDS_PER_BLOCK + slot) as RecordId;
    if ((present & (1 << slot)) === 0 || recordId < first) continue;
    const place = readRecordPlace(block, recordEntryOffset(present, slot));
    if (!bound.admits(place)) return recordId;
    records.push({ recordId, place });
  }
  return undefined;
}

/** The pages of one slice: as many as the rate allows for in a second, and one in any case. */
class SliceBound {
  private readonly pages = new Set<number>();
  private readonly sectorBytes: number;
  private roomBytes: number;

  constructor(sectorBytes: number, bytesPerSecond: number) {
    this.sectorBytes = sectorBytes;
    this.roomBytes = bytesPerSecond;
  }

  /** @returns whether the page of a record is one of the slice's */
  admits({ sector, sectors }: Place): boolean {
    if (this.pages.has(sector)) return true;
    if (this.roomBytes <= 0) return false;
    this.pages.add(sector);
    this.roomBytes -= sectors * this.sectorBytes;
    return true;
  }
}
