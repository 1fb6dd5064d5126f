/**
 * Finds out from which checkpoint a store can be made whole: superblocks, index store and manifests, of which any may be damaged.
 *
 * Promises: only reads. Of the checkpoints that somebody names the newest whose manifest is whole is chosen; when nobody names one, the
 * device is searched for manifests.
 */
import { CommandError, CorruptionError, DeviceError } from '../../common/errors.ts';
import type { Clock } from '../../common/clock.ts';
import {
  baseOf,
  DEFAULT_BLOCK_STORE_NAME,
  EMPTY_BASE,
  readManifest,
} from '../blocks/block-store.ts';
import { StoreLayout } from '../blocks/layout.ts';
import { readSuperblockCopies, type SuperblockReading } from '../blocks/superblock-pair.ts';
import type { Device } from '../device/contract.ts';
import { RequestQueue } from '../device/request-queue.ts';
import type { Base } from '../format/base.ts';
import type { Manifest } from '../format/manifest.ts';
import { SECOND_COPY_OFFSET_BYTES } from '../format/superblock.ts';
import { JOURNAL_DEFAULTS } from '../journal/journal.ts';
import { Segments } from '../journal/segments.ts';
import type { IndexStoreLook, StoreFiles } from '../recovery/store-files.ts';
import type { OnFinding, OnProgress } from './contract.ts';
import { findingOf } from './findings.ts';
import { searchManifests } from './manifest-search.ts';

/** What was found, with the block store's device open for reading. */
export interface Survey {
  readonly device: Device;
  readonly queue: RequestQueue;
  readonly layout: StoreLayout;
  readonly reading: SuperblockReading;
  readonly base: Base;
  /** undefined: the base is empty, all is in the journal. */
  readonly manifest: Manifest | undefined;
  /** What the index store says; undefined when nothing of it can be used. */
  readonly indexStore: IndexStoreLook | undefined;
  /** The base is the one that the superblock or the index store named last. */
  readonly isLatest: boolean;
}

export interface SurveyOptions {
  readonly files: StoreFiles;
  readonly clock: Clock;
  readonly onFinding: OnFinding;
  readonly onProgress: OnProgress;
}

/** @throws CorruptionError when there is no block store, or nothing in it names a checkpoint; the caller closes the device */
export async function surveyStore(options: SurveyOptions): Promise<Survey> {
  const { files, clock } = options;
  if (!(await files.blockVolume.list()).includes(DEFAULT_BLOCK_STORE_NAME)) {
    throw new CorruptionError(
      'missing',
      'block store',
      `there is no ${DEFAULT_BLOCK_STORE_NAME}: the documents are lost, and only a backup brings them back`,
    );
  }
  let device = await files.blockVolume.open(DEFAULT_BLOCK_STORE_NAME);
  try {
    const reading = await readSuperblock(new RequestQueue(device, { clock }), options);
    const sectorBytes = reading?.superblock.sectorBytes ?? device.sectorBytes;
    if (sectorBytes !== device.sectorBytes) {
      await device.close();
      device = await files.blockVolume.open(DEFAULT_BLOCK_STORE_NAME, { sectorBytes });
    }
    const queue = new RequestQueue(device, { clock });
    const indexStore = await lookAtIndexStore(options, reading?.superblock.storeId);
    if (reading !== undefined && indexStore === undefined) {
      await refuseForeignBlockStore(options, reading.superblock.storeId);
    }
    return {
      device,
      queue,
      indexStore,
      ...(await chooseBase(queue, options, reading, indexStore)),
    };
  } catch (error) {
    await device.close();
    throw error;
  }
}

interface FoundSuperblock extends SuperblockReading {
  /** What the copies that are whole recorded, the newest first. */
  readonly bases: readonly Base[];
}

async function readSuperblock(
  queue: RequestQueue,
  { onFinding }: SurveyOptions,
): Promise<FoundSuperblock | undefined> {
  const { valid, damaged } = await readSuperblockCopies(queue);
  for (const damage of damaged) {
    const offset = damage.message.includes('copy 1') ? SECOND_COPY_OFFSET_BYTES : 0;
    onFinding(findingOf(damage, { file: queue.device.name, offset, length: 4096 }));
  }
  const [superblock] = valid;
  if (superblock === undefined) return undefined;
  return { superblock, damage: damaged[0], bases: valid.map(baseOf) };
}

async function lookAtIndexStore(
  { files, onFinding, onProgress }: SurveyOptions,
  storeId: string | undefined,
): Promise<IndexStoreLook | undefined> {
  try {
    const look = await files.repair.look((entries) =>
      onProgress({ step: 'index store', done: entries, total: 0 }),
    );
    for (const message of look.damages) {
      onFinding({
        severity: 'error',
        kind: 'checksum',
        part: 'index store',
        file: INDEX_STORE_FILE,
        message,
      });
    }
    if (storeId === undefined || look.storeId === storeId) return look;
    throw new CorruptionError(
      'foreign',
      'index store',
      `it belongs to store ${look.storeId}, not to ${storeId}`,
    );
  } catch (error) {
    if (!(error instanceof CorruptionError) && !(error instanceof DeviceError)) throw error;
    onFinding(findingOf(error, { file: INDEX_STORE_FILE }));
    return undefined;
  }
}

const INDEX_STORE_FILE = 'index.lmdb';

/**
 * When index store and journal are of one other store, it is the block store that does not belong here: to go on from it would do away with
 * what is left of the right one.
 */
async function refuseForeignBlockStore(
  { files, clock, onProgress }: SurveyOptions,
  storeId: string,
): Promise<void> {
  const owner = await files.repair
    .look((done) => onProgress({ step: 'index store', done, total: 0 }))
    .then(
      (look) => look.storeId,
      () => undefined,
    );
  if (owner === undefined || owner === storeId) return;
  const owners = await journalOwners({ files, clock }, storeId);
  if (owners.own > 0 || owners.others === 0) return;
  throw new CorruptionError(
    'foreign',
    'block store',
    `it belongs to store ${storeId}, index store and journal to ${owner}: put the right ${DEFAULT_BLOCK_STORE_NAME} back`,
  );
}

async function journalOwners(
  { files, clock }: Pick<SurveyOptions, 'files' | 'clock'>,
  storeId: string,
): Promise<{ readonly own: number; readonly others: number }> {
  const segments = new Segments({
    volume: files.journalVolume,
    prefix: files.journalPrefix,
    storeId: Buffer.from(storeId, 'hex'),
    clock,
    firstSegmentBytes: JOURNAL_DEFAULTS.firstSegmentBytes,
    largestSegmentBytes: JOURNAL_DEFAULTS.largestSegmentBytes,
  });
  let others = 0;
  const found = await segments.find((loss) => {
    if (loss.kind === 'foreign') others += 1;
  });
  await segments.close();
  return { own: found.filter(({ header }) => header !== undefined).length, others };
}

type Choice = Pick<Survey, 'layout' | 'reading' | 'base' | 'manifest' | 'isLatest'>;

async function chooseBase(
  queue: RequestQueue,
  options: SurveyOptions,
  found: FoundSuperblock | undefined,
  indexStore: IndexStoreLook | undefined,
): Promise<Choice> {
  if (found !== undefined) {
    const candidates = candidatesOf(found, indexStore, options.onFinding);
    for (const [position, base] of candidates.entries()) {
      const manifest = await tryManifest(queue, found.superblock.storeId, base, options.onFinding);
      if (manifest === 'damaged') continue;
      const layout = new StoreLayout(found.superblock);
      return { layout, reading: found, base, manifest, isLatest: position === 0 };
    }
  }
  const searched = await searchManifests(queue, options.onProgress, found);
  if (searched === undefined) {
    throw new CorruptionError(
      'missing',
      'block store',
      'no superblock and no manifest in it can be read: only a backup brings the documents back',
    );
  }
  return { ...searched, isLatest: false };
}

/** The index store may be one checkpoint ahead of the superblock, or two when the newer copy is lost; otherwise one of them is of another time. */
function candidatesOf(
  { bases, superblock, damage }: FoundSuperblock,
  indexStore: IndexStoreLook | undefined,
  onFinding: OnFinding,
): readonly Base[] {
  const ahead = (indexStore?.checkpoint ?? 0) - superblock.checkpoint;
  const base = indexStore?.base;
  const recorded = bases.filter(
    ({ checkpoint }, position) =>
      bases.findIndex((other) => other.checkpoint === checkpoint) === position,
  );
  if (indexStore === undefined || base === undefined) return recorded;
  if (ahead < 0 || ahead > (damage === undefined ? 1 : 2)) {
    const [part, file] =
      ahead < 0 ? ['index store', INDEX_STORE_FILE] : ['block store', 'blocks.flint'];
    const message = `the index store is at checkpoint ${indexStore.checkpoint}, the block store at ${superblock.checkpoint}: an older copy was put back`;
    onFinding({ severity: 'error', kind: 'older', part, file, message });
    return recorded;
  }
  return [base, ...recorded.filter(({ checkpoint }) => checkpoint !== base.checkpoint)];
}

async function tryManifest(
  queue: RequestQueue,
  storeId: string,
  base: Base,
  onFinding: OnFinding,
): Promise<Manifest | undefined | 'damaged'> {
  if (base.checkpoint === EMPTY_BASE.checkpoint) return undefined;
  try {
    return await readManifest(queue, { storeId }, base);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (!(error instanceof CorruptionError) && !(error instanceof DeviceError)) throw error;
    const { sectorBytes, name } = queue.device;
    const offset = base.manifestAddress * sectorBytes;
    const length = base.manifestSectors * sectorBytes;
    onFinding({
      ...findingOf(error, { file: name, offset, length }),
      part: 'manifest',
    });
    return 'damaged';
  }
}
