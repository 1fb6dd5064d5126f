/**
 * validate: compares a collection's records with its indexes, both ways, and reports; it never guesses or repairs.
 *
 * Reads one snapshot from start to end, in slices. A record whose page is damaged is an error of its own, and the walk goes
 * on behind it.
 */
import { includesMultikeyPaths, validateDocument } from '../../bson/index.ts';
import { uassert } from '../../common/assert.ts';
import { CommandError, CorruptionError } from '../../common/errors.ts';
import type { Interruption } from '../../common/interruption.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import { storedKeyOf, type IndexWriter } from '../catalog/index-keys.ts';
import type { RecordCursor, RecordId, ValidationReport } from '../contract.ts';
import type { SnapshotView } from '../views/snapshot-view.ts';
import { EntryBuckets } from './entry-buckets.ts';

const SLICE = 512;
/** Differences named one by one in the report. */
const MOST_NAMED = 100;

/** @param openView opens a snapshot; validate closes it */
export async function validateCollection(
  openView: () => SnapshotView,
  namespace: string,
  options: { readonly full: boolean },
  interruption: Interruption,
): Promise<ValidationReport> {
  const view = openView();
  try {
    const collection = view.collection(namespace);
    uassert(
      collection !== undefined,
      'NamespaceNotFound',
      `Collection '${namespace}' does not exist to validate.`,
    );
    return await new Validation(view, collection, options.full, interruption).run();
  } finally {
    view.close();
  }
}

class Validation {
  private readonly view: SnapshotView;
  private readonly collection: CollectionVersion;
  private readonly full: boolean;
  private readonly interruption: Interruption;
  private readonly writers: readonly IndexWriter[];
  private readonly buckets: readonly EntryBuckets[];
  private readonly errors: string[] = [];
  private readonly warnings: string[] = [];
  private records = 0;
  private bytes = 0;
  private unreadable = 0;
  private steps = 0;

  constructor(
    view: SnapshotView,
    collection: CollectionVersion,
    full: boolean,
    interruption: Interruption,
  ) {
    this.view = view;
    this.collection = collection;
    this.full = full;
    this.interruption = interruption;
    this.writers = collection.writers.filter(({ index }) => index.ready);
    this.buckets = this.writers.map(() => new EntryBuckets());
  }

  async run(): Promise<ValidationReport> {
    await this.walkRecords((recordId, document) => this.checkRecord(recordId, document));
    for (const [position, writer] of this.writers.entries()) await this.walkIndex(writer, position);
    this.checkCounts();
    if (this.unreadable === 0) await this.nameDifferences();
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
    };
  }

  private checkRecord(recordId: RecordId, document: Buffer): void {
    this.records += 1;
    this.bytes += document.length;
    if (this.full) this.checkBytes(recordId, document);
    for (const [position, { index, generator }] of this.writers.entries()) {
      const { keys, multikeyPaths } = generator.keysOf(document);
      for (const key of keys) this.buckets[position].expect(storedKeyOf(key).key, recordId);
      if (multikeyPaths === undefined) continue;
      if (!includesMultikeyPaths(index.multikeyPaths, multikeyPaths)) {
        this.report(
          `index ${index.name}: record ${recordId} has an array on a path where the index knows of none`,
        );
      }
    }
  }

  private checkBytes(recordId: RecordId, document: Buffer): void {
    try {
      validateDocument(document);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.report(`record ${recordId}: ${error.message}`);
    }
  }

  private async walkIndex(writer: IndexWriter, position: number): Promise<void> {
    const { index } = writer;
    const cursor = this.view.scanIndex(index, {}, 1);
    let previous: Buffer | undefined;
    while (cursor.next()) {
      const key = cursor.key;
      this.buckets[position].find(key, cursor.recordId);
      if (index.unique && previous?.equals(key) === true) {
        this.report(`index ${index.name}: two records have the key ${key.toString('hex')}`);
      }
      previous = key;
      await this.breathe();
    }
    cursor.close();
  }

  private checkCounts(): void {
    const records = this.view.recordCount(this.collection);
    const bytes = this.view.dataBytes(this.collection);
    if (this.unreadable > 0) return;
    if (records !== this.records) {
      this.report(`the catalog counts ${records} records, there are ${this.records}`);
    }
    if (bytes !== this.bytes) {
      this.report(`the catalog counts ${bytes} bytes of documents, there are ${this.bytes}`);
    }
  }

  /** Walks again where the two sides differ, to say which entries are missing or left over. */
  private async nameDifferences(): Promise<void> {
    for (const [position, writer] of this.writers.entries()) {
      const buckets = this.buckets[position];
      if (buckets.isBalanced) continue;
      const { name } = writer.index;
      const expected = new Map<string, RecordId>();
      await this.walkRecords((recordId, document) => {
        for (const key of writer.generator.keysOf(document).keys) {
          const stored = storedKeyOf(key).key;
          if (buckets.isSuspect(stored, recordId)) expected.set(nameOf(stored, recordId), recordId);
        }
      });
      const cursor = this.view.scanIndex(writer.index, {}, 1);
      while (cursor.next()) {
        const { key, recordId } = cursor;
        if (buckets.isSuspect(key, recordId) && !expected.delete(nameOf(key, recordId))) {
          this.report(
            `index ${name}: an entry of record ${recordId} that it should not have: ${key.toString('hex')}`,
          );
        }
        await this.breathe();
      }
      for (const entry of expected.keys()) this.report(`index ${name}: entry is missing: ${entry}`);
      if (this.errors.length === 0) this.report(`index ${name}: entries differ from the records`);
    }
  }

  private async walkRecords(visit: (recordId: RecordId, document: Buffer) => void): Promise<void> {
    const cursor = this.view.scanRecords(this.collection);
    while (await this.step(cursor, visit)) await this.breathe();
    cursor.close();
  }

  /** @returns false at the end. */
  private async step(
    cursor: RecordCursor,
    visit: (recordId: RecordId, document: Buffer) => void,
  ): Promise<boolean> {
    try {
      if (!(await cursor.next())) return false;
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      this.unreadable += 1;
      this.report(`record ${cursor.recordId}: ${error.message}`);
      return true;
    }
    visit(cursor.recordId, cursor.document);
    return true;
  }

  private report(error: string): void {
    if (this.errors.length < MOST_NAMED) this.errors.push(error);
  }

  private async breathe(): Promise<void> {
    this.steps += 1;
    if (this.steps % SLICE !== 0) return;
    this.interruption.throwIfInterrupted();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function nameOf(key: Buffer, recordId: number): string {
  return `record ${recordId}, key ${key.toString('hex')}`;
}
