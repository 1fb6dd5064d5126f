/**
 * What the floors above see of the storage engine: the types behind storage's door.
 *
 * A document is a Buffer that holds exactly one BSON document. A document that the engine hands out stays valid and
 * unchanged for as long as it is referenced: its memory is never reused under a reader. The one exception has a name of its own,
 * RecordCursor.documentInPlace.
 * Only a miss awaits: what may need the device returns the value or a promise of it; callers test and await only then.
 */
import type { MultikeyPaths } from '../bson/index.ts';
import type { Interruption } from '../common/interruption.ts';
import type { Timestamp } from './format/timestamp.ts';

declare const brand: unique symbol;
export type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** Number of a record within its collection, from 1; never used twice. */
export type RecordId = Branded<number, 'RecordId'>;
/** Orders all writes of this store; only grows. 0 is before the first write. */
export type CommitNumber = Branded<number, 'CommitNumber'>;
/** Number of a collection's or an index's tree in the base; never used twice. */
export type Ident = Branded<number, 'Ident'>;
/** A collection's UUID as 32 lower-case hexadecimal digits. */
export type CollectionUuid = Branded<string, 'CollectionUuid'>;

export type MaybePromise<T> = T | Promise<T>;

/** How the pages of a collection are compressed in the block store. */
export const PAGE_COMPRESSIONS = ['none', 'snappy', 'zstd'] as const;
export type PageCompression = (typeof PAGE_COMPRESSIONS)[number];

export function isPageCompression(name: string): name is PageCompression {
  return PAGE_COMPRESSIONS.some((known) => known === name);
}

/** Of collections that are created without a word about it, as mongod's. */
export const DEFAULT_PAGE_COMPRESSION: PageCompression = 'snappy';

/** One field of a key pattern. */
export interface IndexFieldDescription {
  readonly path: string;
  /** 1 for a field that has no direction, such as a hashed one. */
  readonly direction: 1 | -1;
  /** What the pattern says of the field: 'ordered' for a number, 'wildcard' for a path to $**, else its text: 'hashed', '2dsphere'. */
  readonly kind: string;
}

/** One index as one version of the catalog has it. Immutable. */
export interface IndexDescription {
  readonly ident: Ident;
  readonly name: string;
  /** The whole specification as listIndexes shows it ({v: 2, key: {...}, name: ..., unique: ...}), raw BSON. */
  readonly spec: Buffer;
  /** The fields of the key pattern, in order. */
  readonly fields: readonly IndexFieldDescription[];
  readonly unique: boolean;
  readonly sparse: boolean;
  /** Some document has an array on an indexed path. Once true it stays true. */
  readonly multikey: boolean;
  /** For each field, which components of its path are arrays in some document. They never become fewer. */
  readonly multikeyPaths: MultikeyPaths;
  /** False while the index is being built: writers maintain it, readers do not use it. */
  readonly ready: boolean;
}

/** One collection (or view) as one version of the catalog has it. Immutable. */
export interface CollectionDescription {
  readonly ident: Ident;
  readonly uuid: CollectionUuid;
  /** "database.collection" */
  readonly namespace: string;
  readonly kind: 'collection' | 'view' | 'timeseries';
  /** The options it was created with, raw BSON, without its name: what listCollections shows as `options`. */
  readonly options: Buffer;
  /** Of the pages that are written from now on. */
  readonly compression: PageCompression;
  /** The `_id` index first, as MongoDB lists them. */
  readonly indexes: readonly IndexDescription[];
}

/** Walks records of one collection in record-id order. Use: `while (await-if-needed(cursor.next())) cursor.document`. */
export interface RecordCursor {
  /** Moves to the next record; false at the end. Synchronous unless a page has to be read. */
  next(): MaybePromise<boolean>;
  /** Of the current record; only after next() gave true. */
  readonly recordId: RecordId;
  readonly document: Buffer;
  /**
   * The same where it lies, for who is done with it, and with all values of it, before the next call of next() or close(): then its memory
   * may be used for other documents, unless it is longer than LARGEST_COPIED_BYTES. Detaching leaves it good.
   */
  readonly documentInPlace: Buffer;
  /** The document begins at `start` in `bytes`: for who looks at most documents once, and keeps few. */
  readonly bytes: Buffer;
  readonly start: number;
  /** Lets go of the view but keeps the position. */
  detach(): void;
  /** Goes on in another (later) view, after the record of the last next(). */
  attach(view: ReadView): void;
  close(): void;
}

/**
 * Bounds over encoded keys (bson: encodeIndexKey, or a prefix of one), compared as unsigned bytes without type bits or
 * record id. An absent bound is open. A bound that is a strict prefix of a key sorts before that key; bson offers
 * `successorOfPrefix` to get "after everything that starts with".
 */
export interface KeyRange {
  readonly lower?: Buffer;
  readonly lowerInclusive?: boolean;
  readonly upper?: Buffer;
  readonly upperInclusive?: boolean;
}

/** Walks entries of one index. Always synchronous: index trees are mapped memory. */
export interface IndexCursor {
  next(): boolean;
  /**
   * Jumps so that the following next() gives the first entry at or after `key` in the direction of the walk. For a long key entries with
   * keyIsWhole false may come that lie before it, and it only jumps forwards: no entry comes twice.
   */
  seek(key: Buffer): void;
  /** Encoded key of the current entry, without record id. For a key that was cut (too long) only the kept prefix: see keyIsWhole. */
  readonly key: Buffer;
  /** Type bits, with which bson's decodeIndexKey gives back exact values. */
  readonly typeBits: Buffer;
  /** False for a cut key: values must be taken from the document. */
  readonly keyIsWhole: boolean;
  readonly recordId: RecordId;
  detach(): void;
  attach(view: ReadView): void;
  close(): void;
}

export interface ScanOptions {
  readonly direction?: 1 | -1;
  /** Start after this record id (in the direction of the walk). */
  readonly after?: RecordId;
}

/** One consistent state of the store: a snapshot, or a transaction with its own writes on top. */
export interface ReadView {
  readonly commitNumber: CommitNumber;
  /** undefined when there is no such namespace. */
  collection(namespace: string): CollectionDescription | undefined;
  collectionByUuid(uuid: CollectionUuid): CollectionDescription | undefined;
  /** All collections and views, of one database if given, in order of namespace. */
  collections(database?: string): readonly CollectionDescription[];
  /** Names of the databases that have at least one collection, in order. */
  databases(): readonly string[];
  /** The document, or undefined when the record is not there in this view. */
  record(collection: CollectionDescription, recordId: RecordId): MaybePromise<Buffer | undefined>;
  scanRecords(collection: CollectionDescription, options?: ScanOptions): RecordCursor;
  /**
   * Entries whose key lies in the range. Around a bound that is itself too long to be kept whole the walk may give entries
   * outside it, with keyIsWhole false: their documents decide.
   */
  scanIndex(index: IndexDescription, range: KeyRange, direction: 1 | -1): IndexCursor;
  /**
   * The record that a unique index, which is ready, has for exactly this encoded key: a point look-up without a cursor.
   * Keys that were cut are taken as equal when their hashes are.
   */
  uniqueRecordId(index: IndexDescription, key: Buffer): RecordId | undefined;
  /** Exact number of records in this view, cheap. */
  recordCount(collection: CollectionDescription): number;
  /** Sum of the documents' sizes in bytes in this view, cheap. */
  dataBytes(collection: CollectionDescription): number;
  close(): void;
}

/** What a write reports to the journal besides itself. */
export interface OperationOrigin {
  /** Raw BSON of the session id, with transaction and statement numbers, for retryable writes. */
  readonly lsid?: Buffer;
  readonly txnNumber?: number;
  readonly stmtId?: number;
}

/** Options of createCollection. */
export interface CreateCollectionOptions {
  readonly uuid?: CollectionUuid;
  readonly kind?: CollectionDescription['kind'];
  /** Raw BSON; the empty document if absent. */
  readonly options?: Buffer;
  /** Specification of the `_id` index; absent: the usual one. */
  readonly idIndex?: Buffer;
  /** Absent: the store's default. */
  readonly compression?: PageCompression;
}

/**
 * A set of writes that becomes visible at once, or not at all. Writes are checked when they are made: a record or unique
 * key that another transaction has written since this one's snapshot gives a WriteConflictError, a duplicate unique key a
 * CommandError 11000 with keyPattern and keyValue. All methods but close() throw after commit or abort.
 */
export interface Transaction extends ReadView {
  /** The document must have a valid `_id` already. @returns its new record id. */
  insert(collection: CollectionDescription, document: Buffer, origin?: OperationOrigin): RecordId;
  /** @param before the document as this transaction read it. */
  update(
    collection: CollectionDescription,
    recordId: RecordId,
    before: Buffer,
    after: Buffer,
    origin?: OperationOrigin,
  ): void;
  delete(
    collection: CollectionDescription,
    recordId: RecordId,
    before: Buffer,
    origin?: OperationOrigin,
  ): void;

  createCollection(namespace: string, options?: CreateCollectionOptions): CollectionDescription;
  dropCollection(collection: CollectionDescription): void;
  /** Moves a collection to another namespace, which must be free. */
  renameCollection(collection: CollectionDescription, namespace: string): CollectionDescription;
  /** Adds an index to an *empty* collection; engine.buildIndexes is for all others. */
  createIndex(collection: CollectionDescription, spec: Buffer): IndexDescription;
  dropIndex(collection: CollectionDescription, index: IndexDescription): void;
  /**
   * Replaces a collection's options and, by name of the index, specifications of indexes (collMod). A key pattern must
   * stay what it was.
   */
  modifyCollection(
    collection: CollectionDescription,
    options: Buffer,
    indexSpecs?: ReadonlyMap<string, Buffer>,
  ): CollectionDescription;

  /** Statement savepoint: undo returns to it, when one statement of several failed. */
  savepoint(): number;
  rollbackTo(savepoint: number): void;

  /**
   * Publishes the writes in one synchronous step and appends them to the journal.
   * @returns the commit number to give to engine.flushed() for j: true. A transaction without writes returns its snapshot's.
   */
  commit(): CommitNumber;
  abort(): void;
}

export interface ValidationReport {
  readonly valid: boolean;
  /** Records that can be read. */
  readonly recordCount: number;
  readonly keysPerIndex: Readonly<Record<string, number>>;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** Names of indexes that disagree with the records, or cannot be read. */
  readonly invalidIndexes: readonly string[];
  /** Documents that are no valid BSON. */
  readonly invalidDocuments: number;
  /** Records that cannot be read. Of these lists each has at most a hundred entries. */
  readonly corruptRecords: readonly RecordId[];
  readonly missingIndexEntries: readonly IndexEntryDifference[];
  readonly extraIndexEntries: readonly IndexEntryDifference[];
  /** What was mended before this was found; absent when it was not asked for. */
  readonly repairs?: ValidationRepairs;
}

/** What validate mended, on request. All of it is durable. */
export interface ValidationRepairs {
  /** Whether anything was changed at all. */
  readonly repaired: boolean;
  readonly removedEntries: number;
  readonly insertedEntries: number;
  /** Documents of which another one has a unique key: they lie in the collection for what was lost and found. */
  readonly movedDocuments: number;
  /** Entries that were missing for documents which had been moved away by then. */
  readonly outdatedEntries: number;
}

export interface ValidateOptions {
  /** Checks the bytes of each document, too. */
  readonly full: boolean;
  /** What is mended: only what indexes know of arrays, or their entries, too. Absent: nothing. */
  readonly repair?: {
    readonly what: 'multikey' | 'all';
    /** Namespace for documents that have to make room for another one with their unique key, by the collection's UUID. */
    readonly lostAndFound: (uuid: CollectionUuid) => string;
  };
}

/** An entry that an index has and should not have, or should have and has not. */
export interface IndexEntryDifference {
  readonly indexName: string;
  readonly recordId: RecordId;
  /** The stored key, without its record id. */
  readonly key: Buffer;
}

/** A temporary file of one operation. */
export interface SpillFile {
  /** Bytes written so far: where the next append begins. */
  readonly size: number;
  /** @throws CommandError OutOfDiskSpace */
  append(bytes: Buffer): void;
  /** Fills `into` from `offset` on. @returns how many bytes there were. */
  read(into: Buffer, offset: number): number;
  /** Gives the space back. Idempotent. */
  close(): void;
}

export interface SpillSpace {
  /** What one stage should hold at most before it spills, as things are now, bytes. */
  readonly memoryBytes: number;
  /** @throws CommandError OutOfDiskSpace */
  create(): SpillFile;
}

/** Something that the scrub found to be wrong. */
export interface ScrubFinding {
  /** page, record, record map, index or catalog. */
  readonly part: string;
  readonly namespace: string;
  /** Records that are concerned, where known. */
  readonly recordIds?: readonly RecordId[];
  readonly message: string;
}

/** What a pass of the scrub has read, and how many errors it found. */
export interface ScrubResult {
  readonly pages: number;
  /** Read from the disk, and of index entries. */
  readonly bytes: number;
  readonly records: number;
  readonly entries: number;
  readonly errors: number;
}

export interface ScrubProgress extends ScrubResult {
  readonly namespace: string;
  /** Records and index entries, of about `total`. */
  readonly done: number;
  readonly total: number;
}

export interface ScrubOptions {
  /** Asked again and again. Above 0. */
  readonly bytesPerSecond: () => number;
  readonly interruption: Interruption;
  readonly onFinding: (finding: ScrubFinding) => void;
  readonly onProgress: (progress: ScrubProgress) => void;
}

export interface TransactionOptions {
  /** It makes all index keys itself, however long that takes: no write of it ends with a KeysPendingError. */
  readonly makesKeys?: boolean;
}

/** A commit, and when it was. */
export interface CommitPoint {
  readonly commitNumber: CommitNumber;
  readonly timestamp: Timestamp;
}

/** What a store is and where it stands: all that a restored one needs besides its entries and sectors. */
export interface BackupPoint extends CommitPoint {
  /** 32 hexadecimal digits. */
  readonly storeId: string;
  readonly sectorBytes: number;
  readonly extentSectors: number;
  readonly pageSectors: number;
  /** No page of this or a later generation was ever written. */
  readonly generationLimit: number;
  /** Encoded: docs/format/manifest.md#base. */
  readonly base: Buffer;
}

/** Neighbouring sectors. */
export interface SectorRun {
  readonly first: number;
  readonly count: number;
}

/** Entries of the index store, packed: docs/format/backup.md#entry. */
export interface EntriesPiece {
  readonly bytes: Buffer;
  readonly count: number;
  /** Key of the last one: the next piece begins behind it. undefined in an empty piece. */
  readonly last: Buffer | undefined;
  readonly isLast: boolean;
}

/**
 * One base of a running store, held still while it is copied. Its entries come first and are let go, because a pinned index store
 * grows; then its sectors, which stay as they are until close().
 */
export interface StoreBackup {
  readonly point: BackupPoint;
  /** Sectors that belong to the base, in ascending order. */
  readonly runs: readonly SectorRun[];
  /** About how many bytes all entries take; the file's size. */
  readonly entryBytes: number;
  /** The entries behind a key; about `mostBytes`, at least one entry. Synchronous: small pieces let others have their turn. */
  entriesAfter(after: Buffer | undefined, mostBytes: number): EntriesPiece;
  /** Lets the index store's state go. Idempotent; entriesAfter() throws from then on. */
  releaseEntries(): void;
  /** @throws CommandError BadValue for sectors outside the runs; DeviceError */
  readSectors(run: SectorRun): Promise<Buffer>;
  /** Idempotent. */
  close(): void;
}

/** A run of journal entries, BSON documents one after the other, cut wherever it is full. */
export interface JournalPiece {
  readonly bytes: Buffer;
  /** The last commit that has been read; the rest of it may come with the next piece. */
  readonly upTo: CommitPoint;
  /** There was no later commit when the piece was read. */
  readonly isAll: boolean;
}

/** The journal from a commit on, flushed commits only. It pins nothing: who reads too slowly finds them gone. */
export interface JournalTail {
  /** Where it began. */
  readonly after: CommitPoint;
  /** Up to `mostBytes`; an empty piece when there is nothing new. @throws CommandError CappedPositionLost */
  read(mostBytes: number): Promise<JournalPiece>;
  close(): Promise<void>;
}

/** The engine as server and query see it. Opened by openEngine (storage/engine.ts). */
export interface StorageEngine {
  /** Pins the latest state. The caller closes it. */
  snapshot(): ReadView;
  begin(options?: TransactionOptions): Transaction;
  /** Resolves when everything up to `commitNumber` is on the device; asks for a flush now. */
  flushed(commitNumber: CommitNumber): Promise<void>;
  /** Waits while the write budget is short: called at the start of a write operation. Synchronous when there is room. */
  admitWrite(interruption: Interruption): MaybePromise<void>;
  /**
   * Builds indexes beside writes and publishes them together. Waits while another build makes one of the same name.
   * @throws CommandError 11000 for a duplicate in a unique index, IndexAlreadyExists for a name that is taken (by then); the
   * interruption's reason; nothing stays behind then.
   */
  buildIndexes(
    namespace: string,
    specs: readonly Buffer[],
    interruption: Interruption,
    onProgress?: (done: number, total: number) => void,
  ): Promise<void>;
  /**
   * Compares records with indexes in one snapshot. What it is to mend it mends beside reads and writes; the report is what a second
   * look finds then.
   */
  validate(
    namespace: string,
    options: ValidateOptions,
    interruption: Interruption,
  ): Promise<ValidationReport>;
  /**
   * Reads once everything that is on the disk, at a bounded rate, and compares documents with indexes both ways.
   * @throws the interruption's reason
   */
  scrub(options: ScrubOptions): Promise<ScrubResult>;
  /**
   * Takes a checkpoint and holds it still, to be copied: the store as it is at one commit number, while writers go on.
   * The caller closes it. Open backups end with the engine.
   */
  openBackup(): Promise<StoreBackup>;
  /**
   * The journal behind a commit, which must be one of this store's and flushed. The caller closes it.
   * @param storeId whose commit it is, 32 hexadecimal digits; undefined: this store's
   * @throws CommandError CappedPositionLost when it is no longer kept, or not there yet; InvalidOptions for another store's
   */
  openJournalTail(after: CommitNumber, storeId?: string): Promise<JournalTail>;
  /** Takes a checkpoint now (fsync); resolves when it is durable. */
  checkpoint(): Promise<void>;
  /**
   * Empties what is mostly dead in the block store, of all collections (they share extents), and gives it back.
   * @returns bytes that became free. @throws the interruption's reason.
   */
  compact(interruption: Interruption): Promise<number>;
  /** Counters for serverStatus, collStats and /metrics: plain nested objects of numbers and strings. */
  statistics(): EngineStatistics;
  /** For what operations cannot hold in memory: on the store's disk, gone with the operation or the process. */
  readonly spill: SpillSpace;
  /**
   * Bytes in the base for collection and its indexes, for collStats and dbStats: `data` is what its pages occupy on the disk,
   * `free` that part of it which only dead records hold, and which is used again.
   */
  storageBytes(collection: CollectionDescription): {
    data: number;
    free: number;
    indexes: Record<string, number>;
  };
  /** Checkpoints and closes cleanly. Open views are closed by force. */
  close(): Promise<void>;
}

export interface EngineStatistics {
  readonly [group: string]: EngineStatistics | number | string | boolean;
}

/**
 * A write met an uncommitted write of another transaction, or one newer than its snapshot. `blocker` resolves when the
 * other transaction ended; a statement that is no transaction waits for it and tries again.
 */
export class WriteConflictError extends Error {
  readonly blocker: Promise<void> | undefined;

  constructor(blocker?: Promise<void>) {
    super(
      'Write conflict: the document was changed by another operation. Please retry your operation.',
    );
    this.name = 'WriteConflictError';
    this.blocker = blocker;
  }
}

/**
 * The keys of a large document are being made elsewhere: whoever wrote it tries again once `blocker` has resolved. Nobody else has
 * written anything.
 */
export class KeysPendingError extends WriteConflictError {
  /** How many writes the transaction had done before: whoever comes no further than the last time writes another document each time. */
  readonly writesBefore: number;

  constructor(blocker: Promise<void>, writesBefore: number) {
    super(blocker);
    this.name = 'KeysPendingError';
    this.writesBefore = writesBefore;
  }
}
