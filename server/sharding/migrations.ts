/**
 * Both sides of migrations on one shard, and what is done about them in the background: finishing what a crash interrupted, and
 * removing documents that have gone.
 */
import type { RoleHost } from '../role.ts';
import type { CriticalSection } from './collection-state.ts';
import { MigrationSource } from './migration-source.ts';
import { MigrationTarget } from './migration-target.ts';
import { PrimaryMoveSource } from './primary-move-source.ts';
import { PrimaryMoveTarget } from './primary-move-target.ts';
import { runRangeDeletions } from './range-deletions.ts';
import type { ShardingState } from './sharding-state.ts';
import { untilDone } from './until-done.ts';

const byState = new WeakMap<ShardingState, Migrations>();

export class Migrations {
  readonly source: MigrationSource;
  readonly target: MigrationTarget;
  readonly primarySource: PrimaryMoveSource;
  readonly primaryTarget: PrimaryMoveTarget;
  private readonly host: RoleHost;
  private readonly state: ShardingState;
  private cleaning: Promise<void> | undefined;
  private finishing: Promise<void> = Promise.resolve();
  private finishingPrimaries: Promise<void> = Promise.resolve();

  constructor(host: RoleHost, state: ShardingState) {
    this.host = host;
    this.state = state;
    this.source = new MigrationSource(host, state);
    this.target = new MigrationTarget(state);
    this.primarySource = new PrimaryMoveSource(host, state);
    this.primaryTarget = new PrimaryMoveTarget(state);
    byState.set(state, this);
  }

  /** Goes on with what the last run of this server left. Resolves before anything can be asked of the shard. */
  async start(): Promise<void> {
    if (this.state.identity === undefined) return;
    const held = await this.host.background('holdMigrations', (op) =>
      this.source.holdInterrupted(op),
    );
    void this.finish(held);
    await this.host.background('holdDatabases', (op) => this.primarySource.holdInterrupted(op));
    void this.finishPrimaryMoves();
  }

  /** Both shards of every movePrimary that has ended hear of it, and drop what is not theirs. */
  finishPrimaryMoves(): Promise<void> {
    const run = this.finishingPrimaries.then(() =>
      untilDone(this.host, 'finishMovePrimary', (op) => this.primarySource.finishAll(op)),
    );
    this.finishingPrimaries = run;
    return run;
  }

  /**
   * Tells both shards of every migration that has ended, and then removes what is superfluous.
   * @param held critical sections that end when it is known who has the range
   */
  finish(held: ReadonlyMap<string, CriticalSection> = new Map()): Promise<void> {
    const run = this.finishing.then(() =>
      untilDone(this.host, 'finishMigrations', async (op) => {
        const { undecided, isLeft } = await this.source.finishAll(op);
        for (const [namespace, section] of held) {
          if (undecided.has(namespace)) continue;
          this.state.forget(namespace);
          section.release();
        }
        return isLeft;
      }),
    );
    this.finishing = run;
    return run.then(() => this.clean());
  }

  /** Resolves when no removal is left to do. */
  clean(): Promise<void> {
    const before = this.cleaning ?? Promise.resolve();
    const run = before.then(() =>
      untilDone(this.host, 'removeRanges', (op) => runRangeDeletions(op, this.state)),
    );
    this.cleaning = run;
    return run;
  }

  async stop(): Promise<void> {
    await this.finishing;
    await this.finishingPrimaries;
    await this.cleaning;
  }
}

/** Those of this shard. */
export function migrationsOf(state: ShardingState): Migrations {
  const migrations = byState.get(state);
  if (migrations === undefined) throw new Error('a shard without its migrations');
  return migrations;
}
