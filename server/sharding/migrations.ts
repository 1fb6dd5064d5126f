/**
 * Both sides of migrations on one shard, and what is done about them in the background: finishing what a crash interrupted, and
 * removing documents that have gone.
 */
import type { RoleHost } from '../role.ts';
import type { CriticalSection } from './collection-state.ts';
import { MigrationSource } from './migration-source.ts';
import { MigrationTarget } from './migration-target.ts';
import { runRangeDeletions } from './range-deletions.ts';
import type { ShardingState } from './sharding-state.ts';

/** Until the next try, when something is in the way. */
const RETRY_MS = 500;

const byState = new WeakMap<ShardingState, Migrations>();

export class Migrations {
  readonly source: MigrationSource;
  readonly target: MigrationTarget;
  private readonly host: RoleHost;
  private readonly state: ShardingState;
  private cleaning: Promise<void> | undefined;
  private finishing: Promise<void> = Promise.resolve();

  constructor(host: RoleHost, state: ShardingState) {
    this.host = host;
    this.state = state;
    this.source = new MigrationSource(host, state);
    this.target = new MigrationTarget(state);
    byState.set(state, this);
  }

  /** Goes on with what the last run of this server left. Resolves before anything can be asked of the shard. */
  async start(): Promise<void> {
    if (this.state.identity === undefined) return;
    const held = await this.host.background('holdMigrations', (op) =>
      this.source.holdInterrupted(op),
    );
    void this.finish(held);
  }

  /**
   * Tells both shards of every migration that has ended, and then removes what is superfluous.
   * @param held critical sections that end when it is known who has the range
   */
  finish(held: ReadonlyMap<string, CriticalSection> = new Map()): Promise<void> {
    const run = this.finishing.then(() =>
      this.untilDone('finishMigrations', async (op) => {
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
      this.untilDone('removeRanges', (op) => runRangeDeletions(op, this.state)),
    );
    this.cleaning = run;
    return run;
  }

  async stop(): Promise<void> {
    await this.finishing;
    await this.cleaning;
  }

  /** Repeats until `work` says that nothing is left. Never throws. */
  private async untilDone(
    name: string,
    work: (op: Parameters<Parameters<RoleHost['background']>[1]>[0]) => Promise<boolean>,
  ): Promise<void> {
    while (!this.host.service.isStopping) {
      const isLeft = await this.host
        .background(name, async (op) => {
          try {
            if (!(await work(op))) return false;
          } catch (error) {
            if (op.reason !== undefined) throw error;
            this.report(name, error);
          }
          await op.sleep(RETRY_MS);
          return true;
        })
        // Killed by an operator, or by the end of the server.
        .catch(() => true);
      if (!isLeft) return;
    }
  }

  private report(name: string, error: unknown): void {
    this.host.service.log.write({
      severity: 'W',
      component: 'CONTROL',
      id: 2_600_002,
      message: 'Work of migrations failed; it is tried again',
      attributes: { name, error: String(error) },
    });
  }
}

/** Those of this shard. */
export function migrationsOf(state: ShardingState): Migrations {
  const migrations = byState.get(state);
  if (migrations === undefined) throw new Error('a shard without its migrations');
  return migrations;
}
