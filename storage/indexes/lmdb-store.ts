/**
 * The index store on LMDB: reads on the calling thread, writes on one worker thread.
 *
 * Owns: the environment, its read transactions, and the writer. Invariants:
 *  1. Only the writer writes, but for the identity record of a new store, before there is a writer.
 *  2. Every read names its snapshot's transaction: lmdb's default one is renewed with every turn of the event loop.
 *  3. A transaction ends after its cursors are closed: the other way round LMDB touches freed memory.
 * Bytes: docs/format/lmdb.md. Tests: test/contracts/index-store.ts, test/storage/indexes/.
 */
import { statSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import type { Transaction } from 'lmdb';
import { invariant } from '../../common/assert.ts';
import type { Clock } from '../../common/clock.ts';
import { CorruptionError, DeviceError } from '../../common/errors.ts';
import { jobUrl } from '../../common/workers/job-url.ts';
import { SMALL_HEAP, startJob } from '../../common/workers/start-job.ts';
import {
  decodeStoreIdentity,
  encodeStoreIdentity,
  STORE_IDENTITY_KEY,
  type CheckpointStamp,
} from '../format/store-identity.ts';
import type { IndexChanges } from './changes.ts';
import type { CommitResult, IndexSnapshot, IndexStore, IndexStoreStatistics } from './contract.ts';
import { DEFAULT_MAP_BYTES, openEnvironment, type Environment } from './lmdb-environment.ts';
import { refuseUnreadableLmdb } from './lmdb-check.ts';
import { lookAtLmdbFile, removeLmdbFile } from './lmdb-file.ts';
import { hasNoRoom } from './lmdb-room.ts';
import { LmdbSnapshot } from './lmdb-snapshot.ts';
import {
  errorFromDescription,
  type WriterOptions,
  type WriterReply,
  type WriterRequest,
} from './lmdb-writer-messages.ts';
import { openValue, sealedValue } from './sealed-value.ts';
import { NEW_STORE_STAMP, refuseForeignStore, storeIsMissing } from './store-checks.ts';

export interface LmdbStoreOptions {
  /** File of the environment; LMDB puts its lock file beside it, `-lock` appended. */
  readonly path: string;
  /** 16 bytes; a store with another id is refused. */
  readonly storeId: Buffer;
  /** Make a new store when there is none. Without it a missing or empty file is a loss. */
  readonly create: boolean;
  readonly clock: Clock;
  /** Address space for the file, bytes. Default 4 TiB. */
  readonly mapBytes?: number;
  /** The file is only read; a commit is refused by LMDB. */
  readonly readOnly?: boolean;
}

/**
 * Opens or creates the index store.
 * @throws CorruptionError missing (no file, an empty one, no identity record), foreign (another store's), malformed
 */
export async function openLmdbIndexStore(options: LmdbStoreOptions): Promise<IndexStore> {
  const state = lookAtLmdbFile(options.path);
  if (state === 'missing' || state === 'unfinished') {
    if (!options.create) throw storeIsMissing(options.path);
    removeLmdbFile(options.path);
  }
  if (state === 'short') await refuseUnreadableLmdb(options.path, 'it ends before its last page');
  const environment = openOrRefuse(options);
  try {
    const stamp = readOrCreateIdentity(environment, options);
    return new LmdbIndexStore(environment, options, stamp);
  } catch (error) {
    await environment.close();
    throw error;
  }
}

class LmdbIndexStore implements IndexStore {
  private readonly environment: Environment;
  private readonly options: LmdbStoreOptions;
  private lastStamp: CheckpointStamp;
  private writer: Worker | undefined;
  /** Settles the commit in flight. */
  private settleCommit: ((reply: WriterReply | Error) => void) | undefined;
  private readonly snapshots = new Set<LmdbSnapshot>();
  private closed = false;
  private commits = 0;
  private operations = 0;
  private commitMs = 0;
  /** LMDB keeps the memory of pages that were dirty once, for the next ones: of its largest commit, until it is closed. */
  private writerBytes = 0;

  constructor(environment: Environment, options: LmdbStoreOptions, stamp: CheckpointStamp) {
    this.environment = environment;
    this.options = options;
    this.lastStamp = stamp;
  }

  get stamp(): CheckpointStamp {
    return this.lastStamp;
  }

  beginRead(): IndexSnapshot {
    invariant(!this.closed, 'index store: read after close');
    const snapshot = new LmdbSnapshot(
      this.environment,
      beginTransaction(this.environment),
      (released) => this.snapshots.delete(released),
    );
    this.snapshots.add(snapshot);
    return snapshot;
  }

  async commit(changes: IndexChanges, stamp: CheckpointStamp): Promise<CommitResult> {
    invariant(!this.closed, 'index store: commit after close');
    invariant(this.settleCommit === undefined, 'index store: two commits at once');
    const startMs = this.options.clock.monotonicMs();
    const reply = await this.sendCommit(changes, stamp);
    if (reply instanceof Error) throw reply;
    if (reply.kind === 'failed') {
      throw errorFromDescription(reply.error, hasNoRoom(this.options.path));
    }
    this.lastStamp = stamp;
    this.commits += 1;
    this.operations += changes.count;
    this.writerBytes = Math.max(this.writerBytes, reply.writtenBytes);
    this.commitMs += this.options.clock.monotonicMs() - startMs;
    return reply.result;
  }

  statistics(): IndexStoreStatistics {
    return {
      commits: this.commits,
      operations: this.operations,
      commitMs: this.commitMs,
      openSnapshots: this.snapshots.size,
      fileBytes: fileBytes(this.options.path),
      writerBytes: this.writerBytes,
    };
  }

  async close(): Promise<void> {
    if (this.closed) return;
    invariant(this.settleCommit === undefined, 'index store: closed during a commit');
    this.closed = true;
    for (const snapshot of this.snapshots) snapshot.release();
    await this.stopWriter();
    await this.environment.close();
  }

  /** Resolves with the writer's reply, or with the error that ended the writer. */
  private sendCommit(changes: IndexChanges, stamp: CheckpointStamp): Promise<WriterReply | Error> {
    const identity = encodeStoreIdentity({ storeId: this.options.storeId, stamp });
    return new Promise((resolve) => {
      this.settleCommit = (reply) => {
        this.settleCommit = undefined;
        resolve(reply);
      };
      this.writer ??= this.startWriter();
      this.post({
        kind: 'commit',
        chunks: changes.chunks(),
        identityKey: STORE_IDENTITY_KEY,
        identity: sealedValue(STORE_IDENTITY_KEY, identity),
      });
    });
  }

  private post(request: WriterRequest): void {
    this.writer?.postMessage(request);
  }

  /** The thread starts with the first commit: a server that only reads, or has just started, does without. */
  private startWriter(): Worker {
    const { path, mapBytes = DEFAULT_MAP_BYTES } = this.options;
    const workerData: WriterOptions = { path, mapBytes };
    const writer = startJob(jobUrl(import.meta.url, './lmdb-writer.job'), {
      ...SMALL_HEAP,
      workerData,
    });
    writer.on('message', (reply: WriterReply) => this.settleCommit?.(reply));
    const ended = (error: Error): void => {
      this.writer = undefined;
      this.settleCommit?.(
        new DeviceError('EIO', 'index store: its writer ended', { cause: error }),
      );
    };
    writer.on('error', ended);
    writer.on('exit', (code) => ended(new Error(`exit code ${code}`)));
    return writer;
  }

  private async stopWriter(): Promise<void> {
    const writer = this.writer;
    if (writer === undefined) return;
    const exited = new Promise((resolve) => writer.once('exit', resolve));
    this.post({ kind: 'close' });
    await exited;
  }
}

/**
 * A read transaction of its own on the latest commit. lmdb shares one among all reads of a turn: resetting before makes
 * it a fresh one, resetting after leaves it to this holder alone, who ends it with done().
 */
function beginTransaction(environment: Environment): Transaction {
  environment.resetReadTxn();
  const transaction = environment.useReadTransaction();
  environment.resetReadTxn();
  return transaction;
}

function readOrCreateIdentity(
  environment: Environment,
  options: LmdbStoreOptions,
): CheckpointStamp {
  const sealed = environment.get(STORE_IDENTITY_KEY);
  if (sealed !== undefined) {
    const identity = decodeStoreIdentity(openValue(STORE_IDENTITY_KEY, sealed));
    refuseForeignStore(options.path, identity.storeId, options.storeId);
    return identity.stamp;
  }
  const hasEntries = environment.getKeysCount({ limit: 1 }) > 0;
  if (!options.create || hasEntries) throw storeIsMissing(options.path);
  const identity = encodeStoreIdentity({ storeId: options.storeId, stamp: NEW_STORE_STAMP });
  environment.transactionSync(() => {
    environment.putSync(STORE_IDENTITY_KEY, sealedValue(STORE_IDENTITY_KEY, identity));
  });
  return NEW_STORE_STAMP;
}

function openOrRefuse(options: LmdbStoreOptions): Environment {
  try {
    return openEnvironment(options.path, options.mapBytes ?? DEFAULT_MAP_BYTES, options.readOnly);
  } catch (error) {
    throw new CorruptionError('malformed', 'index store', `${options.path} cannot be opened`, {
      cause: error,
    });
  }
}

/** 0 for a missing file. */
function fileBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
