/**
 * validate: compares a collection's records with its indexes, both ways, and reports; it never guesses, and changes nothing
 * (verify/mend.ts does, on request, by what is found here).
 *
 * Reads one snapshot from start to end, in slices. A record whose page is damaged is an error of its own, and the walk goes
 * on behind it.
 */
import {
  includesMultikeyPaths,
  noMultikeyPaths,
  uniteMultikeyPaths,
  validateDocument,
  type MultikeyPaths,
} from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError, CorruptionError, DeviceError } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import { prepareKeys, storedKeyOf, type IndexWriter } from '../catalog/index-keys.ts';
import type {
  CommitNumber,
  Ident,
  IndexDescription,
  IndexEntryDifference,
  RecordCursor,
  RecordId,
  ValidationReport,
} from '../contract.ts';
import { concernsOneRecord } from '../views/damaged-record.ts';
import type { SnapshotView } from '../views/snapshot-view.ts';
import { EntryBuckets } from './entry-buckets.ts';

const SLICE = 512;
/** Differences named one by one in the report. */
const MOST_NAMED = 100;
/** Entries that are held to find out which of an index differ, and differences in all: beyond it an index is better made anew. */
const MOST_HELD = 20_000;

/** Bounds how fast something is read. */
export interface Pace {
  /** Notes that so many bytes were read. @returns when to go on, if not at once */
  spend(bytes: number): Promise<void> | undefined;
}

export interface ValidationOptions {
  /** Checks the bytes of each document, too. */
  readonly full: boolean;
  readonly interruption: Interruption;
  readonly pace?: Pace;
}

/** An entry of an index that is there and should not be, or the other way round. */
export interface EntryDifference {
  readonly index: Ident;
  readonly recordId: RecordId;
  /** Stored form. */
  readonly key: Buffer;
}

/** What was found of one index. */
export interface InspectedIndex {
  readonly index: IndexDescription;
  /** False when the walk ended at damage: what lies behind it nobody has seen. */
  readonly isReadable: boolean;
  /** Whether all its differences are among those listed. */
  readonly isListed: boolean;
  /** Where the documents that were read have arrays. */
  readonly multikeyPaths: MultikeyPaths;
}

/** All that is known after one look at a collection. */
export interface Inspection {
  readonly report: ValidationReport;
  readonly collection: CollectionVersion;
  readonly commitNumber: CommitNumber;
  readonly indexes: readonly InspectedIndex[];
  readonly differences: readonly EntryDifference[];
  /** Every record of the collection was seen, and its document read. */
  readonly isComplete: boolean;
  /** What was found, less what the catalog counts. */
  readonly recordsMiscounted: number;
  readonly bytesMiscounted: number;
}

/** @param openView opens a snapshot; validate closes it */
export async function validateCollection(
  openView: () => SnapshotView,
  namespace: string,
  options: ValidationOptions,
): Promise<ValidationReport> {
  return (await inspectCollection(openView, namespace, options)).report;
}

/** The same, with all that is needed to mend what was found. */
export async function inspectCollection(
  openView: () => SnapshotView,
  namespace: string,
  options: ValidationOptions,
): Promise<Inspection> {
  const view = openView();
  try {
    const collection = view.collection(namespace);
    uassert(
      collection !== undefined,
      'NamespaceNotFound',
      `Collection '${namespace}' does not exist to validate.`,
    );
    return await new Validation(view, collection, options).run();
  } finally {
    view.close();
  }
}

/** An index entry, as it is or should be. */
interface SeenEntry {
  readonly key: Buffer;
  readonly typeBits: Buffer;
  readonly recordId: RecordId;
}

class Validation {
  private readonly view: SnapshotView;
  private readonly collection: CollectionVersion;
  private readonly full: boolean;
  private readonly interruption: Interruption;
  private readonly pace: Pace | undefined;
  private readonly writers: readonly IndexWriter[];
  private readonly buckets: readonly EntryBuckets[];
  private readonly errors: string[] = [];
  private readonly warnings: string[] = [];
  private readonly invalidIndexes = new Set<string>();
  private readonly unreadable = new Set<RecordId>();
  private readonly missing: IndexEntryDifference[] = [];
  private readonly extra: IndexEntryDifference[] = [];
  private readonly differences: EntryDifference[] = [];
  /** By position of the index. */
  private readonly multikeyPaths: MultikeyPaths[];
  /** Indexes whose walk ended at damage, and those with more differences than were looked at. */
  private readonly unreadableIndexes = new Set<IndexDescription>();
  private readonly unlistedIndexes = new Set<IndexDescription>();
  private invalidDocuments = 0;
  private records = 0;
  private bytes = 0;
  /** False when the record map is damaged: then nobody knows what the indexes should have. */
  private sawAllRecords = true;
  private steps = 0;

  constructor(view: SnapshotView, collection: CollectionVersion, options: ValidationOptions) {
    this.view = view;
    this.collection = collection;
    this.full = options.full;
    this.interruption = options.interruption;
    this.pace = options.pace;
    this.writers = collection.writers.filter(({ index }) => index.ready);
    this.buckets = this.writers.map(() => new EntryBuckets(view.recordCount(collection)));
    this.multikeyPaths = this.writers.map(({ index }) => noMultikeyPaths(index.multikeyPaths));
  }

  async run(): Promise<Inspection> {
    await this.walkRecords((recordId, document) => this.checkRecord(recordId, document), true);
    for (const [position, writer] of this.writers.entries()) await this.walkIndex(writer, position);
    if (this.sawAllRecords) {
      this.checkCounts();
      await this.nameDifferences();
    }
    const { view, collection } = this;
    return {
      report: this.report(),
      collection,
      commitNumber: view.commitNumber,
      indexes: this.writers.map(({ index }, position) => ({
        index,
        isReadable: !this.unreadableIndexes.has(index),
        isListed: !this.unlistedIndexes.has(index),
        multikeyPaths: this.multikeyPaths[position],
      })),
      differences: this.differences,
      isComplete: this.sawAllRecords && this.unreadable.size === 0,
      recordsMiscounted: this.records + this.unreadable.size - view.recordCount(collection),
      bytesMiscounted: this.bytes - view.dataBytes(collection),
    };
  }

  private report(): ValidationReport {
    const keysPerIndex: Record<string, number> = {};
    for (const [position, { index }] of this.writers.entries()) {
      keysPerIndex[index.name] = this.buckets[position].found;
    }
    return {
      valid: this.errors.length === 0,
      recordCount: this.records,
      keysPerIndex,
      errors: this.errors,
      warnings: this.warnings,
      invalidIndexes: [...this.invalidIndexes],
      invalidDocuments: this.invalidDocuments,
      corruptRecords: [...this.unreadable].slice(0, MOST_NAMED),
      missingIndexEntries: this.missing,
      extraIndexEntries: this.extra,
    };
  }

  private checkRecord(recordId: RecordId, document: Buffer): void {
    this.records += 1;
    this.bytes += document.length;
    if (this.full) this.checkBytes(recordId, document);
    for (const [position, { index, generator }] of this.writers.entries()) {
      const { keys, multikeyPaths } = generator.keysOf(document);
      for (const encoded of keys) {
        const { key, typeBits } = storedKeyOf(encoded);
        this.buckets[position].expect(key, typeBits, recordId);
      }
      if (multikeyPaths === undefined) continue;
      this.multikeyPaths[position] = uniteMultikeyPaths(
        this.multikeyPaths[position],
        multikeyPaths,
      );
      if (!includesMultikeyPaths(index.multikeyPaths, multikeyPaths)) {
        this.reportIndex(
          index.name,
          `record ${recordId} has an array on a path where the index knows of none`,
        );
      }
    }
  }

  private checkBytes(recordId: RecordId, document: Buffer): void {
    try {
      validateDocument(document);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.invalidDocuments += 1;
      this.reportError(`record ${recordId}: ${error.message}`);
    }
  }

  private async walkIndex(writer: IndexWriter, position: number): Promise<void> {
    const { index } = writer;
    let previous: Buffer | undefined;
    await this.walkEntries(writer, ({ key, typeBits, recordId }) => {
      this.buckets[position].find(key, typeBits, recordId);
      if (index.unique && previous?.equals(key) === true) {
        this.reportIndex(index.name, `two records have the key ${key.toString('hex')}`);
      }
      previous = key;
    });
  }

  /** Entries of records that cannot be read are passed over: nobody can tell whether they are right. */
  private async walkEntries(
    { index }: IndexWriter,
    visit: (entry: SeenEntry) => void,
  ): Promise<void> {
    const cursor = this.view.scanIndex(index, {}, 1);
    try {
      while (cursor.next()) {
        const { key, typeBits, recordId } = cursor;
        if (!this.unreadable.has(recordId)) visit({ key, typeBits, recordId });
        await this.breathe(key.length);
      }
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      if (!this.unreadableIndexes.has(index)) this.reportIndex(index.name, error.message);
      this.unreadableIndexes.add(index);
    } finally {
      cursor.close();
    }
  }

  private checkCounts(): void {
    const records = this.view.recordCount(this.collection);
    const bytes = this.view.dataBytes(this.collection);
    const found = this.records + this.unreadable.size;
    if (records !== found) {
      this.reportError(`the catalog counts ${records} records, there are ${found}`);
    }
    if (bytes !== this.bytes && this.unreadable.size === 0) {
      this.reportError(`the catalog counts ${bytes} bytes of documents, there are ${this.bytes}`);
    }
  }

  /** Walks again where the two sides differ, to say which entries are missing or left over. */
  private async nameDifferences(): Promise<void> {
    for (const [position, writer] of this.writers.entries()) {
      const { index } = writer;
      // Of one that could not be read to its end nobody knows what it has.
      if (this.buckets[position].isBalanced || this.unreadableIndexes.has(index)) continue;
      await this.nameDifferencesOf(writer, this.buckets[position]);
      if (!this.invalidIndexes.has(index.name)) {
        this.reportIndex(index.name, 'entries differ from the records');
      }
    }
  }

  private async nameDifferencesOf(writer: IndexWriter, buckets: EntryBuckets): Promise<void> {
    const { index } = writer;
    const indexName = index.name;
    if (!buckets.focus(MOST_HELD)) this.unlistedIndexes.add(index);
    const expected = new Map<string, EntryDifference>();
    await this.walkRecords((recordId, document) => {
      for (const encoded of writer.generator.keysOf(document).keys) {
        const { key, typeBits } = storedKeyOf(encoded);
        if (!buckets.isSuspect(key, typeBits, recordId)) continue;
        const entry = { index: index.ident, recordId, key: Buffer.from(key) };
        expected.set(nameOf({ key, typeBits, recordId }), entry);
      }
    }, false);
    await this.walkEntries(writer, (seen) => {
      const { key, typeBits, recordId } = seen;
      if (!buckets.isSuspect(key, typeBits, recordId) || expected.delete(nameOf(seen))) return;
      const entry = { index: index.ident, recordId, key: Buffer.from(key) };
      this.noteDifference(index, entry);
      note(this.extra, { indexName, recordId, key: entry.key });
      this.reportIndex(
        indexName,
        `an entry of record ${recordId} that it should not have: ${keyText(seen)}`,
      );
    });
    for (const [name, entry] of expected) {
      this.noteDifference(index, entry);
      note(this.missing, { indexName, recordId: entry.recordId, key: entry.key });
      this.reportIndex(indexName, `entry is missing: ${name}`);
    }
  }

  private noteDifference(index: IndexDescription, entry: EntryDifference): void {
    if (this.differences.length < MOST_HELD) this.differences.push(entry);
    else this.unlistedIndexes.add(index);
  }

  /** @param reports whether what cannot be read is told: each once */
  private async walkRecords(
    visit: (recordId: RecordId, document: Buffer) => void,
    reports: boolean,
  ): Promise<void> {
    const cursor = this.view.scanRecords(this.collection);
    try {
      while (await this.step(cursor, visit, reports)) await this.breathe(cursor.document.length);
    } finally {
      cursor.close();
    }
  }

  /** Moves to the next record that can be read. @returns false at the end. */
  private async step(
    cursor: RecordCursor,
    visit: (recordId: RecordId, document: Buffer) => void,
    reports: boolean,
  ): Promise<boolean> {
    for (;;) {
      try {
        if (!(await cursor.next())) return false;
        const pending = prepareKeys(this.writers, cursor.document);
        if (pending !== undefined) await pending;
        visit(cursor.recordId, cursor.document);
        return true;
      } catch (error) {
        const isDamage =
          error instanceof CorruptionError ||
          (error instanceof DeviceError && error.errno === 'EIO');
        if (!isDamage) throw error;
        if (reports) this.reportError(error.message);
        if (error instanceof CorruptionError && !concernsOneRecord(error)) {
          // The record map itself: the walk cannot go on behind it.
          this.sawAllRecords = false;
          return false;
        }
        this.unreadable.add(cursor.recordId);
      }
    }
  }

  private reportIndex(indexName: string, error: string): void {
    this.invalidIndexes.add(indexName);
    this.reportError(`index ${indexName}: ${error}`);
  }

  private reportError(error: string): void {
    if (this.errors.length < MOST_NAMED) this.errors.push(error);
  }

  /** @param bytes read since */
  private async breathe(bytes: number): Promise<void> {
    this.steps += 1;
    const waiting = this.pace?.spend(bytes);
    if (waiting !== undefined) await waiting;
    if (this.steps % SLICE !== 0) return;
    this.interruption.throwIfInterrupted();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function note(differences: IndexEntryDifference[], entry: IndexEntryDifference): void {
  if (differences.length < MOST_NAMED) differences.push(entry);
}

function nameOf(entry: SeenEntry): string {
  return `record ${entry.recordId}, key ${keyText(entry)}`;
}

function keyText({ key, typeBits }: SeenEntry): string {
  const types = typeBits.length === 0 ? '' : `, type bits ${typeBits.toString('hex')}`;
  return key.toString('hex') + types;
}
