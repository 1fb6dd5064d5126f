/**
 * Index builds: over an empty collection, over a small one in one step, over a large one beside writes.
 *
 * Owns: the builds under way. A build that does not end well leaves nothing behind: its index goes from the catalog, its
 * tree is reaped.
 */
import { CommandError } from '../../common/errors.ts';
import { uassert } from '../../common/assert.ts';
import { uninterruptible, untilInterrupted, type Interruption } from '../../common/interruption.ts';
import type { CollectionVersion } from '../catalog/collection-version.ts';
import type { ScanningBuild } from '../checkpoint/freeze.ts';
import { WriteConflictError } from '../contract.ts';
import { encodeCatalogCommand, newIndexes } from '../transactions/catalog-entries.ts';
import { commitNow } from '../transactions/publish.ts';
import { EngineTransaction } from '../transactions/transaction.ts';
import type { OnDamage } from '../views/damaged-record.ts';
import { SnapshotView } from '../views/snapshot-view.ts';
import type { StoreState } from '../views/store-state.ts';
import { LargeBuild } from './large-build.ts';
import { nameOf, refuseTaken, withoutIndexes } from './published-indexes.ts';
import { tryBuildAtOnce } from './small-build.ts';

/** Up to this size a collection's index is made in one synchronous step, as its collection stands. */
const SMALL_RECORDS = 5000;
const SMALL_BYTES = 8 * 1024 * 1024;
/** How often a small build starts again because somebody wrote meanwhile; then it goes the large way. */
const SMALL_ATTEMPTS = 3;

interface BuildRequest {
  readonly namespace: string;
  readonly specs: readonly Buffer[];
  /** Refuses a version of the collection that stands in the way. */
  readonly check: (version: CollectionVersion) => void;
  readonly interruption: Interruption;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Hears of damaged records, which get no entries then; absent: they end the build. */
  readonly onDamage?: OnDamage | undefined;
}

export class IndexBuilds {
  /** Builds that scan: each checkpoint takes what they have. */
  readonly scanning = new Set<ScanningBuild>();
  private readonly store: StoreState;
  private readonly takeCheckpoint: () => Promise<void>;
  /** Builds under way, with the collection and the names of their indexes. */
  private readonly running = new Map<Promise<void>, readonly string[]>();
  private readonly smallRecords: number;
  private stopping = false;

  constructor(
    store: StoreState,
    takeCheckpoint: () => Promise<void>,
    smallRecords = SMALL_RECORDS,
  ) {
    this.smallRecords = smallRecords;
    this.store = store;
    this.takeCheckpoint = takeCheckpoint;
  }

  /** @throws CommandError IndexAlreadyExists when a name is taken, OutOfDiskSpace */
  async build(
    namespace: string,
    specs: readonly Buffer[],
    interruption: Interruption,
    onProgress?: (done: number, total: number) => void,
  ): Promise<void> {
    this.store.space.refuseGrowth();
    const names = specs.map(nameOf);
    const check = (version: CollectionVersion): void => refuseTaken(version, names);
    return this.buildAlone({ namespace, specs, check, interruption, onProgress });
  }

  /** Builds indexes beside those of their names that are to go. @param onDamage see BuildRequest */
  buildAgain(
    namespace: string,
    specs: readonly Buffer[],
    interruption: Interruption = uninterruptible,
    onDamage?: OnDamage,
  ): Promise<void> {
    return this.buildAlone({ namespace, specs, check: () => {}, interruption, onDamage });
  }

  private async buildAlone(request: BuildRequest): Promise<void> {
    const { namespace, specs, interruption } = request;
    const claims = specs.map((spec) => `${namespace} ${nameOf(spec)}`);
    for (let other = this.claimant(claims); other !== undefined; other = this.claimant(claims)) {
      const ended = other.catch(() => {});
      await untilInterrupted(ended, interruption);
    }
    const building = this.buildNow(request);
    this.running.set(building, claims);
    try {
      await building;
    } finally {
      this.running.delete(building);
    }
  }

  /** A build under way that makes one of these indexes. */
  private claimant(claims: readonly string[]): Promise<void> | undefined {
    for (const [building, claimed] of this.running) {
      if (claimed.some((claim) => claims.includes(claim))) return building;
    }
    return undefined;
  }

  /** Ends all builds, which then throw. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.allSettled(this.running.keys());
  }

  /** After a start: an index that was being built when the server ended is dropped. */
  abandonUnfinished(): void {
    for (const state of this.store.catalog.states()) {
      const version = state.versions.latest;
      const unfinished = version?.indexes.filter(({ ready }) => !ready) ?? [];
      if (version === undefined || unfinished.length === 0) continue;
      commitNow(this.store, [
        {
          kind: 'catalog',
          state,
          version: withoutIndexes(this.store, version, unfinished),
          namespaces: [],
          journal: {
            op: 'c',
            ui: state.uuidBytes,
            o: encodeCatalogCommand(version.namespace, {
              name: 'abortIndexBuild',
              indexes: newIndexes(unfinished),
            }),
          },
        },
      ]);
    }
  }

  private async buildNow(request: BuildRequest): Promise<void> {
    const { namespace, specs, check, interruption, onProgress, onDamage } = request;
    const checkRunning = (): void => {
      interruption.throwIfInterrupted();
      if (this.stopping) throw new CommandError('InterruptedAtShutdown', 'interrupted at shutdown');
    };
    for (let attempt = 0; attempt < SMALL_ATTEMPTS; attempt += 1) {
      checkRunning();
      const view = new SnapshotView(this.store);
      try {
        const collection = view.collection(namespace);
        uassert(collection !== undefined, 'NamespaceNotFound', `ns does not exist: ${namespace}`);
        check(collection);
        const records = view.recordCount(collection);
        if (records > this.smallRecords || view.dataBytes(collection) > SMALL_BYTES) break;
        const built =
          records === 0
            ? this.tryBuildEmpty(collection, specs)
            : await tryBuildAtOnce(this.store, view, collection, specs, checkRunning, onDamage);
        if (built) {
          onProgress?.(records, records);
          return;
        }
      } finally {
        view.close();
      }
    }
    const { smallRecords } = this;
    const options = { checkRunning, onProgress, onDamage, smallRecords };
    const build = new LargeBuild(this.store, this.takeCheckpoint, options);
    await build.run(namespace, specs, check, this.scanning);
  }

  /** @returns false when somebody wrote at the same time. */
  private tryBuildEmpty(collection: CollectionVersion, specs: readonly Buffer[]): boolean {
    const transaction = new EngineTransaction(this.store);
    try {
      if (transaction.recordCount(collection) > 0) return false;
      for (const spec of specs) transaction.createIndex(collection, spec);
      transaction.commit();
      return true;
    } catch (error) {
      if (error instanceof WriteConflictError) return false;
      throw error;
    } finally {
      transaction.close();
    }
  }
}
