/**
 * validate with repair: mends what an inspection found, beside reads and writes, and looks again.
 *
 * What is mended goes into the delta like any write, a slice of records in one synchronous step, and is durable with the checkpoint
 * that follows: a crash before it finds the damage as it was, one behind it finds it mended. The journal needs to know nothing of it but
 * that there was a commit: replay makes keys from documents, and the base holds the rest.
 * Invariants:
 *  1. An entry is put or taken away in the step in which its record was read, and only where that changes something: what is
 *     written as new must not be below, or a later removal of it would not reach the base.
 *  2. Records that the catalog counts and nobody finds are not given up: entries without a record stay while some are missing.
 * Never: changes or removes a document, but to make room for another one with its unique key. What cannot be read stays as it is.
 */
import { documentOf, includesMultikeyPaths, isMultikey } from '../../bson/index.ts';
import { CommandError, CorruptionError } from '../../common/errors.ts';
import { untilInterrupted, type Interruption } from '../../common/interruption.ts';
import type { CollectionState } from '../catalog/collection-state.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import type {
  CommitNumber,
  Ident,
  IndexDescription,
  MaybePromise,
  ValidateOptions,
  ValidationReport,
} from '../contract.ts';
import { JOURNAL_OPERATIONS, type JournalOperation } from '../format/journal-entry.ts';
import type { IndexBuilds } from '../index-builds/index-builds.ts';
import { rebuildIndexes } from '../index-builds/rebuild.ts';
import type { MultikeyChange } from '../transactions/pending-write.ts';
import { commitNow, withMultikey } from '../transactions/publish.ts';
import { SnapshotView } from '../views/snapshot-view.ts';
import type { StoreState } from '../views/store-state.ts';
import { EntryMending, type Rivals } from './mend-entries.ts';
import { moveToLostAndFound } from './lost-and-found.ts';
import {
  inspectCollection,
  type EntryDifference,
  type InspectedIndex,
  type Inspection,
} from './validate.ts';

export interface MendParts {
  readonly store: StoreState;
  readonly builds: IndexBuilds;
  /** Waits while the budget for writes is short. */
  readonly admit: (interruption: Interruption) => MaybePromise<void>;
  readonly takeCheckpoint: () => Promise<void>;
}

export type Repair = NonNullable<ValidateOptions['repair']>;

export interface MendOptions {
  readonly full: boolean;
  readonly repair: Repair;
  readonly interruption: Interruption;
}

/** What one round leaves, such as a document that was moved away, the next one mends. */
const MOST_ROUNDS = 5;

/** @returns what the last look found, and what was mended before */
export async function mendCollection(
  parts: MendParts,
  namespace: string,
  options: MendOptions,
): Promise<ValidationReport> {
  const inspect = (): Promise<Inspection> =>
    inspectCollection(() => new SnapshotView(parts.store), namespace, options);
  let inspection = await inspect();
  const mending = new Mending(parts, options);
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    if (!(await mending.mend(inspection))) break;
    await parts.takeCheckpoint();
    inspection = await inspect();
  }
  return mending.complete(inspection);
}

class Mending {
  private readonly parts: MendParts;
  private readonly options: MendOptions;
  private removedEntries = 0;
  private insertedEntries = 0;
  private movedDocuments = 0;
  private outdatedEntries = 0;
  private readonly notes = new Set<string>();
  private readonly failures = new Set<string>();
  private repaired = false;

  constructor(parts: MendParts, options: MendOptions) {
    this.parts = parts;
    this.options = options;
  }

  /** @returns whether anything was changed */
  async mend(inspection: Inspection): Promise<boolean> {
    const { collection } = inspection;
    const state = this.parts.store.catalog.stateByIdent(collection.ident);
    if (state === undefined) return false;
    this.failures.clear();
    let changed = this.mendMultikey(inspection, state);
    if (this.options.repair.what === 'all') {
      if (await this.rebuild(inspection, state)) changed = true;
      if (await this.mendEntries(inspection, state)) changed = true;
      if (this.mendCounts(inspection, state)) changed = true;
    }
    if (changed) this.repaired = true;
    return changed;
  }

  complete({ report, collection }: Inspection): ValidationReport {
    const { removedEntries, insertedEntries, movedDocuments, outdatedEntries, repaired } = this;
    const errors = [...report.errors, ...this.failures];
    return {
      ...report,
      valid: errors.length === 0,
      errors,
      warnings: [...this.warnings(collection), ...report.warnings],
      repairs: { repaired, removedEntries, insertedEntries, movedDocuments, outdatedEntries },
    };
  }

  private warnings({ uuid }: CollectionVersion): string[] {
    const { removedEntries, insertedEntries, movedDocuments, outdatedEntries } = this;
    const moved = `Removed ${movedDocuments} duplicate documents to resolve ${movedDocuments + outdatedEntries} missing index entries. Removed documents can be found in '${this.options.repair.lostAndFound(uuid)}'.`;
    return [
      ...(removedEntries > 0 ? [`Removed ${removedEntries} extra index entries.`] : []),
      ...(insertedEntries > 0 ? [`Inserted ${insertedEntries} missing index entries.`] : []),
      ...(movedDocuments > 0 ? [moved] : []),
      ...this.notes,
    ];
  }

  /** What an index knows of arrays: all that there are, and where nobody wrote meanwhile nothing else. */
  private mendMultikey(inspection: Inspection, state: CollectionState): boolean {
    const { store } = this.parts;
    const version = state.versions.latest;
    if (version === undefined) return false;
    const unknown = inspection.indexes.filter(
      ({ index, multikeyPaths }) => !includesMultikeyPaths(index.multikeyPaths, multikeyPaths),
    );
    const isQuiet =
      inspection.isComplete &&
      store.writers.size === 0 &&
      state.sizes.latestCommitNumber <= inspection.commitNumber &&
      state.schemaChangedAt <= inspection.commitNumber;
    const outdated = inspection.indexes.filter(
      (each) => isQuiet && !unknown.includes(each) && knowsTooMany(each),
    );
    if (unknown.length === 0 && outdated.length === 0) return false;
    for (const { index } of unknown) {
      this.notes.add(
        index.multikey
          ? `Index ${index.name} multikey paths updated.`
          : `Index ${index.name} set to multikey.`,
      );
    }
    for (const { index, multikeyPaths } of outdated) {
      const did = isMultikey(multikeyPaths) ? 'Updated' : 'Unset';
      this.notes.add(`${did} index multikey metadata: ${index.name}`);
    }
    const changes = unknown.map(({ index, multikeyPaths }): MultikeyChange => ({
      index: index.ident,
      paths: multikeyPaths,
    }));
    if (isQuiet)
      this.writeVersion(state, withFoundArrays(store, version, inspection.indexes), true);
    else this.writeVersion(state, withMultikey(store, version, changes), false);
    return true;
  }

  private writeVersion(
    state: CollectionState,
    version: CollectionVersion,
    knowsArrays: boolean,
  ): CommitNumber {
    const journal = mendingEntry(version.namespace);
    return commitNow(this.parts.store, [
      { kind: 'catalog', state, version, namespaces: [], journal, knowsArrays },
    ]);
  }

  /** Indexes that cannot be read to their end, or differ in so much that to make them anew is less work. */
  private async rebuild(inspection: Inspection, state: CollectionState): Promise<boolean> {
    const { store, builds } = this.parts;
    const broken = inspection.indexes.filter(needsRebuild).map(({ index }) => index.ident);
    // Each for itself: that one has duplicates does not concern the others.
    const groups = broken.map((ident) => new Set([ident]));
    let changed = false;
    for (const idents of groups) {
      try {
        const names = await rebuildIndexes(store, builds, state, idents, this.options.interruption);
        for (const name of names) this.notes.add(`Index ${name} was built anew.`);
        if (names.length > 0) changed = true;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        const [name] = namesOf(inspection.indexes, idents);
        this.failures.add(`index ${name}: it cannot be built anew: ${error.message}`);
      }
    }
    return changed;
  }

  private async mendEntries(inspection: Inspection, state: CollectionState): Promise<boolean> {
    const { store, admit } = this.parts;
    const { interruption } = this.options;
    const mending = new EntryMending(store, state, {
      journal: mendingEntry(inspection.collection.namespace),
      // Invariant 2.
      keepsOrphans: inspection.recordsMiscounted < 0,
    });
    const differences = listedDifferences(inspection);
    for (let next = 0; next < differences.length;) {
      interruption.throwIfInterrupted();
      const admitted = admit(interruption);
      if (admitted !== undefined) await admitted;
      const { done, waitFor } = mending.mendFrom(differences, next);
      next = done;
      if (waitFor === undefined) await new Promise((resolve) => setImmediate(resolve));
      else await untilInterrupted(waitFor, interruption);
    }
    this.removedEntries += mending.removed;
    this.insertedEntries += mending.inserted;
    const moved = await this.moveRivals(inspection.collection, mending.rivals);
    return mending.removed + mending.inserted > 0 || moved;
  }

  /** Of two records with one unique key the older one makes room, as with MongoDB. */
  private async moveRivals(
    collection: CollectionVersion,
    rivals: readonly Rivals[],
  ): Promise<boolean> {
    const { store } = this.parts;
    const { interruption, repair } = this.options;
    const namespace = repair.lostAndFound(collection.uuid);
    let moved = 0;
    for (const { recordId, owner } of rivals) {
      interruption.throwIfInterrupted();
      const older = recordId < owner ? recordId : owner;
      try {
        const move = { uuid: collection.uuid, recordId: older, namespace, interruption };
        if (await moveToLostAndFound(store, move)) moved += 1;
        else this.outdatedEntries += 1;
      } catch (error) {
        if (!isRefusal(error)) throw error;
        this.failures.add(`unable to move record ${older} to ${namespace}: ${error.message}`);
      }
    }
    this.movedDocuments += moved;
    return moved > 0;
  }

  /** Only upwards: a record too few may still lie in a page, where `flint repair` finds it. */
  private mendCounts(inspection: Inspection, state: CollectionState): boolean {
    const { recordsMiscounted, bytesMiscounted, isComplete } = inspection;
    const isRight = recordsMiscounted === 0 && bytesMiscounted === 0;
    if (!isComplete || isRight || recordsMiscounted < 0) return false;
    const version = state.versions.latest;
    if (version === undefined) return false;
    const commitNumber = this.writeVersion(state, version, false);
    const change = { records: recordsMiscounted, bytes: bytesMiscounted };
    state.grow(commitNumber, change, this.parts.store.snapshots);
    this.notes.add('Updated the count and the size of the documents.');
    return true;
  }
}

function withFoundArrays(
  { keyGenerators }: StoreState,
  version: CollectionVersion,
  inspected: readonly InspectedIndex[],
): CollectionVersion {
  const indexes = version.indexes.map((index) => {
    const found = inspected.find((each) => each.index.ident === index.ident);
    if (found === undefined) return index;
    const { multikeyPaths } = found;
    return { ...index, multikeyPaths, multikey: isMultikey(multikeyPaths) };
  });
  return version.with({ indexes }, keyGenerators);
}

/** A commit that names no document: it gives what is mended its place among all others. */
function mendingEntry(namespace: string): JournalOperation {
  const message = documentOf({ msg: `the indexes of ${namespace} were mended` });
  return { op: JOURNAL_OPERATIONS.noop, o: message };
}

function knowsTooMany({ index, multikeyPaths }: InspectedIndex): boolean {
  return (
    !includesMultikeyPaths(multikeyPaths, index.multikeyPaths) ||
    index.multikey !== isMultikey(multikeyPaths)
  );
}

function needsRebuild({ isReadable, isListed }: InspectedIndex): boolean {
  return !isReadable || !isListed;
}

/** Of indexes that are not made anew, a record's side by side. */
function listedDifferences({ differences, indexes }: Inspection): readonly EntryDifference[] {
  const rebuilt = new Set(indexes.filter(needsRebuild).map(({ index }) => index.ident));
  return differences
    .filter(({ index }) => !rebuilt.has(index))
    .sort((a, b) => a.recordId - b.recordId);
}

function namesOf(indexes: readonly InspectedIndex[], idents: ReadonlySet<Ident>): string[] {
  const named: IndexDescription[] = indexes.map(({ index }) => index);
  return named.filter(({ ident }) => idents.has(ident)).map(({ name }) => name);
}

/** Duplicates, a full disk, a page that cannot be read: what was asked for cannot be, and all is as it was. */
function isRefusal(error: unknown): error is CommandError | CorruptionError {
  if (error instanceof CorruptionError) return true;
  return error instanceof CommandError && ENDS_NOTHING.has(error.codeName);
}

const ENDS_NOTHING: ReadonlySet<string> = new Set([
  'DuplicateKey',
  'CannotCreateIndex',
  'NamespaceNotFound',
  'OutOfDiskSpace',
]);
