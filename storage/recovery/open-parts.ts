/**
 * Opens block store, index store and journal, and sees that they belong together: one path for clean and crashed starts.
 *
 * Superblock, index store and journal segments carry the store's id, the first two also the last checkpoint. A part that is
 * missing, older or another store's is named and refused; nothing is guessed, nothing is recreated empty.
 */
import type { Clock } from '../../common/clock.ts';
import { CorruptionError } from '../../common/errors.ts';
import type { Log } from '../../common/log.ts';
import type { Random } from '../../common/random.ts';
import {
  createBlockStore,
  DEFAULT_BLOCK_STORE_NAME,
  openBlockStore,
  type BlockStoreOptions,
} from '../blocks/block-store.ts';
import type { BlockStore } from '../blocks/contract.ts';
import { readSuperblocks } from '../blocks/superblock-pair.ts';
import { decodeStoreRecord, STORE_RECORD_KEY } from '../catalog/catalog-record.ts';
import type { Volume } from '../device/contract.ts';
import type { ElevatorName } from '../device/elevators/elevators.ts';
import { RequestQueue } from '../device/request-queue.ts';
import type { Base } from '../format/base.ts';
import type { Superblock } from '../format/superblock.ts';
import type { IndexStore } from '../indexes/contract.ts';
import type { Journal, Salvage } from '../journal/contract.ts';
import { openJournal } from '../journal/journal.ts';
import type { StoreFiles } from './store-files.ts';

export interface PartsOptions {
  readonly files: StoreFiles;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Bound of the page cache, bytes. */
  readonly cacheBytes: number;
  readonly verifyWrites: boolean;
  readonly journalCommitIntervalMs: number;
  readonly journalRetention?: { readonly bytes: number; readonly ms: number };
  readonly extentBytes?: number;
  readonly elevator?: ElevatorName;
  /** For repair: hears of damage in the journal, which then counts as its end. */
  readonly salvage?: Salvage;
  /** Hears of the first failed journal flush. */
  readonly onJournalFailure: (error: Error) => void;
  /** Hears that the journal waits for space. */
  readonly onNoSpace: (error: Error) => void;
}

export interface Parts {
  readonly blocks: BlockStore;
  readonly indexes: IndexStore;
  readonly journal: Journal;
}

/** @throws CorruptionError naming the part that is missing, older, foreign or damaged */
export async function openParts(options: PartsOptions): Promise<Parts> {
  const { files } = options;
  if (options.salvage === undefined && (await files.repair.isUnfinished())) {
    throw new CorruptionError('malformed', 'store', 'a repair of it began and has not ended');
  }
  const superblock = await readSuperblock(files.blockVolume, options.clock);
  if (superblock === undefined) return createParts(options);
  const storeId = Buffer.from(superblock.storeId, 'hex');
  // Before the first checkpoint the journal holds everything: an index store that was never finished is made anew.
  const create = superblock.checkpoint === 0;
  const indexes = await files.openIndexStore({ storeId, create });
  try {
    const blocks = await openBlockStore(blockOptions(options), baseOf(indexes));
    await mendSuperblock(blocks, options.log);
    return { blocks, indexes, journal: openStoreJournal(options, storeId) };
  } catch (error) {
    await indexes.close();
    throw error;
  }
}

/** One copy is enough to go on with, and not enough to stay with. */
async function mendSuperblock(blocks: BlockStore, log: Log): Promise<void> {
  const damage = blocks.superblockDamage;
  if (damage === undefined) return;
  try {
    await blocks.recordBase();
  } catch (error) {
    await blocks.close();
    throw error;
  }
  log.write({
    severity: 'W',
    component: 'STORAGE',
    id: 5100110,
    message: 'One copy of the superblock was damaged; it was written again from the other',
    attributes: { error: damage.message },
  });
}

async function createParts(options: PartsOptions): Promise<Parts> {
  const { files } = options;
  await refuseLeftovers(files);
  const blocks = await createBlockStore({
    ...blockOptions(options),
    random: options.random,
    ...(options.extentBytes === undefined ? {} : { extentBytes: options.extentBytes }),
  });
  const storeId = Buffer.from(blocks.storeId, 'hex');
  const indexes = await files.openIndexStore({ storeId, create: true });
  return { blocks, indexes, journal: openStoreJournal(options, storeId) };
}

/** The block store is made first: without it, whatever else stands there has lost it. */
async function refuseLeftovers(files: StoreFiles): Promise<void> {
  if (await files.hasIndexStore()) {
    throw new CorruptionError('missing', 'block store', 'there is an index store without it');
  }
  const names = await files.journalVolume.list();
  if (
    names.some((name) => name.startsWith(files.journalPrefix) && name !== DEFAULT_BLOCK_STORE_NAME)
  ) {
    throw new CorruptionError('missing', 'block store', 'there is a journal without it');
  }
}

/** undefined when there is no block store yet, or one whose creation was cut short before its first superblock. */
async function readSuperblock(volume: Volume, clock: Clock): Promise<Superblock | undefined> {
  if (!(await volume.list()).includes(DEFAULT_BLOCK_STORE_NAME)) return undefined;
  const device = await volume.open(DEFAULT_BLOCK_STORE_NAME);
  try {
    return (await readSuperblocks(new RequestQueue(device, { clock }))).superblock;
  } catch (error) {
    if (error instanceof CorruptionError && error.kind === 'missing') return undefined;
    throw error;
  } finally {
    await device.close();
  }
}

/** The base of the index store's last commit; undefined before the first. */
function baseOf(indexes: IndexStore): Base | undefined {
  const snapshot = indexes.beginRead();
  try {
    const record = snapshot.get(STORE_RECORD_KEY);
    if (record !== undefined) return decodeStoreRecord(record).base;
    if (snapshot.stamp.checkpoint === 0) return undefined;
    throw new CorruptionError('malformed', 'index store', 'it has a checkpoint, and no base');
  } finally {
    snapshot.release();
  }
}

function blockOptions(options: PartsOptions): BlockStoreOptions {
  return {
    volume: options.files.blockVolume,
    clock: options.clock,
    cacheBytes: options.cacheBytes,
    verifyWrites: options.verifyWrites,
    usesThreads: options.files.usesThreads,
    ...(options.elevator === undefined ? {} : { elevator: options.elevator }),
  };
}

function openStoreJournal(options: PartsOptions, storeId: Buffer): Journal {
  const { files, clock, random, log } = options;
  return openJournal({
    volume: files.journalVolume,
    prefix: files.journalPrefix,
    storeId,
    clock,
    random,
    log,
    commitIntervalMs: options.journalCommitIntervalMs,
    retainBytes: options.journalRetention?.bytes ?? 0,
    retainMs: options.journalRetention?.ms ?? 0,
    ...(options.salvage === undefined ? {} : { salvage: options.salvage }),
    onFailure: options.onJournalFailure,
    onNoSpace: options.onNoSpace,
  });
}
