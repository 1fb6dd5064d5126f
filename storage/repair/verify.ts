/**
 * flint verify: reads everything of a store that nobody has open, and says what is wrong with it.
 *
 * Reads, in this order: superblocks and manifest, all of the index store (in a process of its own), every page, every record through
 * the record map with its entries in all indexes both ways, every batch of the journal that a start would need.
 * Never: writes a byte. Never guesses: what could not be looked at, because something that it depends on is damaged, is said to be so.
 */
import type { Clock } from '../../common/clock.ts';
import { CommandError, CorruptionError, DeviceError } from '../../common/errors.ts';
import { uninterruptible } from '../../common/interruption.ts';
import { silentLog } from '../../common/log.ts';
import type { Random } from '../../common/random.ts';
import { DEFAULT_BLOCK_STORE_NAME, openBlockStoreAt } from '../blocks/block-store.ts';
import { walkExtent } from '../blocks/page-walk.ts';
import type { KeyGeneratorSource } from '../catalog/index-keys.ts';
import type { ValidationReport } from '../contract.ts';
import type { Manifest } from '../format/manifest.ts';
import type { IndexStore } from '../indexes/contract.ts';
import type { JournalOptions } from '../journal/contract.ts';
import { checkJournal, openJournal } from '../journal/journal.ts';
import { openDirectoryToRead, type StoreFiles } from '../recovery/store-files.ts';
import { validateCollection } from '../verify/validate.ts';
import { SnapshotView } from '../views/snapshot-view.ts';
import type { StoreState } from '../views/store-state.ts';
import { stateOfBase } from './base-state.ts';
import { collectionsOf } from './collect-pages.ts';
import type { Finding, OnFinding, OnProgress } from './contract.ts';
import { findingOf } from './findings.ts';
import { namedFindings } from './records-on-pages.ts';
import { surveyStore, type Survey } from './survey.ts';

export interface VerifyOptions {
  /** An existing directory; or other places for the parts. */
  readonly dbpath?: string;
  readonly files?: StoreFiles;
  readonly clock: Clock;
  readonly random: Random;
  readonly keyGenerators: KeyGeneratorSource;
  readonly onProgress?: OnProgress;
}

export interface VerifiedCollection {
  readonly namespace: string;
  readonly records: number;
  readonly indexEntries: number;
  readonly valid: boolean;
}

export interface VerifyReport {
  /** Nothing is wrong. */
  readonly sound: boolean;
  /** The checkpoint that was verified. */
  readonly checkpoint: number;
  readonly commitNumber: number;
  readonly pages: number;
  readonly pageBytes: number;
  /** As of the checkpoint. */
  readonly collections: readonly VerifiedCollection[];
  /** What a start would replay. */
  readonly journal: {
    readonly commits: number;
    readonly entries: number;
    readonly bytes: number;
    readonly tail: string;
  };
  readonly findings: readonly Finding[];
}

const NOTHING_VERIFIED: Omit<VerifyReport, 'findings'> = {
  sound: false,
  checkpoint: 0,
  commitNumber: 0,
  pages: 0,
  pageBytes: 0,
  collections: [],
  journal: { commits: 0, entries: 0, bytes: 0, tail: 'it was not looked at' },
};

const CACHE_BYTES = 64 * 1024 * 1024;

/** @throws CommandError DBPathInUse; CorruptionError when there is no store to speak of */
export async function verifyStore(options: VerifyOptions): Promise<VerifyReport> {
  const files = options.files ?? (await openDirectoryToRead(options.dbpath ?? '.', options.clock));
  try {
    return await new Verification(files, options).run();
  } finally {
    await files.close();
  }
}

class Verification {
  private readonly files: StoreFiles;
  private readonly options: VerifyOptions;
  private readonly findings: Finding[] = [];
  private readonly onProgress: OnProgress;

  constructor(files: StoreFiles, options: VerifyOptions) {
    this.files = files;
    this.options = options;
    this.onProgress = options.onProgress ?? (() => {});
  }

  async run(): Promise<VerifyReport> {
    const { files } = this;
    if (await files.repair.isUnfinished()) {
      const message = 'a repair of the store began and has not ended: run flint repair again';
      this.note({ severity: 'error', kind: 'malformed', part: 'store', file: '', message });
    }
    const survey = await this.survey();
    if (survey === undefined) return { ...NOTHING_VERIFIED, findings: this.findings };
    const { base } = survey;
    const walked = await this.walkPages(survey);
    const collections = await this.compareRecords(survey, walked.damages);
    const journal = await this.readJournal(survey);
    return {
      sound: this.findings.length === 0,
      checkpoint: base.checkpoint,
      commitNumber: base.commitNumber,
      pages: walked.pages,
      pageBytes: walked.bytes,
      collections,
      journal,
      findings: this.findings,
    };
  }

  /** undefined when nothing can be made of the block store. */
  private async survey(): Promise<Survey | undefined> {
    const { clock } = this.options;
    const { files, note, onProgress } = this;
    try {
      return await surveyStore({ files, clock, onFinding: note, onProgress });
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      note(findingOf(error, { file: DEFAULT_BLOCK_STORE_NAME }));
      return undefined;
    }
  }

  private readonly note: OnFinding = (finding) => {
    this.findings.push(finding);
  };

  private async walkPages(survey: Survey): Promise<{
    readonly pages: number;
    readonly bytes: number;
    readonly damages: readonly Finding[];
  }> {
    const { queue, layout, reading, manifest } = survey;
    const extents = manifest?.extents ?? [];
    const source = { queue, layout, storeId: reading.superblock.storeId, extents };
    const damages: Finding[] = [];
    let pages = 0;
    let bytes = 0;
    try {
      for (const index of extents.keys()) {
        this.onProgress({ step: 'pages', done: index, total: extents.length });
        await walkExtent(source, index, {
          page(_header, page) {
            pages += 1;
            bytes += page.length;
          },
          damaged(sector, sectorCount, error) {
            const offset = sector * layout.sectorBytes;
            const length = sectorCount * layout.sectorBytes;
            damages.push(findingOf(error, { file: queue.device.name, offset, length }));
          },
          // One that lives is met by the record map.
          cutOff() {},
        });
      }
    } finally {
      await survey.device.close();
    }
    return { pages, bytes, damages };
  }

  /** What the record map names, and the indexes, both ways; as far as the index store can be believed. */
  private async compareRecords(
    survey: Survey,
    damages: readonly Finding[],
  ): Promise<readonly VerifiedCollection[]> {
    const { indexStore, manifest, base } = survey;
    if (indexStore === undefined || manifest === undefined || indexStore.base !== base) {
      for (const damage of damages) this.note(damage);
      return [];
    }
    const storeId = Buffer.from(survey.reading.superblock.storeId, 'hex');
    const indexes = await this.files.openIndexStore({ storeId, create: false });
    try {
      this.nameDamages(survey, manifest, indexes, damages);
      return await this.compareCollections(survey, indexes);
    } catch (error) {
      if (!(error instanceof CorruptionError) && !(error instanceof DeviceError)) throw error;
      this.note(findingOf(error, { file: 'index.lmdb' }));
      return [];
    } finally {
      await indexes.close();
    }
  }

  private nameDamages(
    { layout }: Survey,
    manifest: Manifest,
    indexes: IndexStore,
    damages: readonly Finding[],
  ): void {
    if (damages.length === 0) return;
    const snapshot = indexes.beginRead();
    try {
      const collections = collectionsOf(manifest);
      for (const each of namedFindings(damages, snapshot, collections, layout)) this.note(each);
    } finally {
      snapshot.release();
    }
  }

  private async compareCollections(
    survey: Survey,
    indexes: IndexStore,
  ): Promise<readonly VerifiedCollection[]> {
    const { clock, random, keyGenerators } = this.options;
    const blocks = await openBlockStoreAt(
      { volume: this.files.blockVolume, clock, cacheBytes: CACHE_BYTES },
      survey,
    );
    try {
      const journal = openJournal(this.journalOptions(survey));
      const store = stateOfBase({ blocks, indexes, journal, random, keyGenerators });
      try {
        return await this.validateAll(store);
      } finally {
        store.epoch.base.unpin();
      }
    } finally {
      await blocks.close();
    }
  }

  private async validateAll(store: StoreState): Promise<readonly VerifiedCollection[]> {
    const verified: VerifiedCollection[] = [];
    const view = new SnapshotView(store);
    const collections = view.collections().filter(({ kind }) => kind === 'collection');
    view.close();
    for (const [done, { namespace }] of collections.entries()) {
      this.onProgress({ step: 'collections', done, total: collections.length });
      const report = await validateCollection(() => new SnapshotView(store), namespace, {
        full: true,
        interruption: uninterruptible,
      });
      this.noteReport(namespace, report);
      const indexEntries = Object.values(report.keysPerIndex).reduce((sum, keys) => sum + keys, 0);
      const { recordCount: records, valid } = report;
      verified.push({ namespace, records, indexEntries, valid });
    }
    return verified;
  }

  private noteReport(namespace: string, report: ValidationReport): void {
    const known = new Set(
      this.findings.flatMap((finding) =>
        finding.namespace === namespace ? (finding.recordIds ?? []) : [],
      ),
    );
    for (const message of report.errors) {
      const record = /, record (\d+): /.exec(message)?.[1];
      // Its page was reported already.
      if (record !== undefined && known.has(Number(record))) continue;
      this.note({
        severity: 'error',
        kind: 'malformed',
        part: 'collection',
        file: 'index.lmdb',
        namespace,
        message,
      });
    }
  }

  private async readJournal(survey: Survey): Promise<VerifyReport['journal']> {
    const { commitNumber } = survey.base;
    const none = { commits: 0, entries: 0, bytes: 0, tail: 'it could not be read' };
    try {
      const { groups, entries, bytes, tail } = await checkJournal(
        this.journalOptions(survey),
        commitNumber,
        (damage) => this.note(findingOf(damage, {})),
        (_group, done) => this.onProgress({ step: 'journal', done, total: 0 }),
      );
      return { commits: groups, entries, bytes, tail };
    } catch (error) {
      if (error instanceof CommandError) throw error;
      if (!(error instanceof CorruptionError) && !(error instanceof DeviceError)) throw error;
      this.note(findingOf(error, { file: 'journal' }));
      return none;
    }
  }

  private journalOptions({ reading }: Survey): JournalOptions {
    const { clock, random } = this.options;
    return {
      volume: this.files.journalVolume,
      prefix: this.files.journalPrefix,
      storeId: Buffer.from(reading.superblock.storeId, 'hex'),
      clock,
      random,
      log: silentLog,
      onFailure: () => {},
    };
  }
}
